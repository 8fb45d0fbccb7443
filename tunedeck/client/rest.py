"""One method per REST call. Arguments and answers are the models of spec.py and views/, errors those of errors.py.

A spec may also be given as a plain mapping: the service checks it and names every fault at its field, so checking it
here first would only report faults twice. Nothing is tried again by itself, except by the stream and while long work is
waited for: a second POST would make a second job.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, RootModel, ValidationError

from tunedeck.actions import Action, Cancel
from tunedeck.client.alerts import AlertCalls
from tunedeck.client.faults import from_transport, raise_for_error
from tunedeck.client.fetching import fetch_file
from tunedeck.client.sending import send_file
from tunedeck.client.stream import StreamMessage, read_stream
from tunedeck.errors import Conflict, TunedeckError, Unavailable, error_of
from tunedeck.lifecycle import JobState
from tunedeck.notes import EditNotes, NotesView
from tunedeck.spec import JobSpec
from tunedeck.views.datasets import CachedTokensView, DatasetView, UploadView
from tunedeck.views.events import EventView
from tunedeck.views.hosts import HostReadingsView, HostView
from tunedeck.views.jobs import ActionResult, BulkView, CheckedSpec, JobDetail, JobList, JobView
from tunedeck.views.logs import LogsView
from tunedeck.views.metrics import MetricsView
from tunedeck.views.models import ModelView
from tunedeck.views.page import Page
from tunedeck.views.presets import PresetView
from tunedeck.views.queue import QueueView
from tunedeck.views.run_files import ArtifactView, CheckpointView
from tunedeck.views.service import CeleryView, HealthView
from tunedeck.views.works import WorkView

V = TypeVar("V", bound=BaseModel)
API = "/api/v1"
_POLL_S = 0.5
_PATIENCE_S = 60.0
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _Any(RootModel[dict[str, Any]]):
    """An answer of one of two forms."""


def _unseen(work: WorkView) -> None: ...


def _unseen_size(num_bytes: int) -> None: ...


def _unseen_bytes(sent: int, total: int) -> None: ...


class Client:
    """A connection to one service. `transport` is for tests; usable as a context manager."""

    def __init__(
        self, url: str, token: str, *, timeout_s: float = 30.0, transport: httpx.BaseTransport | None = None
    ) -> None:
        self.url = url.rstrip("/")
        self.alerts = AlertCalls(self._call)
        self._http = httpx.Client(
            base_url=self.url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=timeout_s,
            transport=transport,
            # A proxy of the environment cannot reach the service of this machine.
            trust_env=httpx.URL(self.url).host not in LOOPBACK,
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def submit(self, spec: JobSpec | Mapping[str, Any], *, draft: bool = False, request_key: str = "") -> JobDetail:
        """Raise SpecInvalid with every fault at its field. A call that is repeated with its `request_key` makes no
        second job."""
        return self._order("/jobs", _body(spec), draft, request_key)

    def clone(
        self, job_id: str, changes: Mapping[str, Any] | None = None, *, draft: bool = False, request_key: str = ""
    ) -> JobDetail:
        """Submit the spec of a job again, with `changes` (a part of a spec) laid over it."""
        return self._order(f"/jobs/{_part(job_id)}/clone", dict(changes or {}), draft, request_key)

    def check(self, spec: JobSpec | Mapping[str, Any]) -> CheckedSpec:
        return self._post("/jobs/check", CheckedSpec, _body(spec))

    def job(self, job_id: str) -> JobDetail:
        return self._get(f"/jobs/{_part(job_id)}", JobDetail)

    def jobs(
        self,
        *,
        state: Sequence[JobState | str] = (),
        model: str = "",
        dataset: str = "",
        q: str = "",
        archived: Literal["", "yes", "any"] = "",
        limit: int = 50,
    ) -> Iterator[JobView]:
        """Newest first; fetches `limit` jobs a call until the caller stops or none are left. `q` is a search in the
        language of docs/search.md; without `archived`, archived jobs are left out."""
        asked: dict[str, Any] = {"state": list(state), "model": model, "dataset": dataset, "q": q}
        asked |= {"archived": archived, "limit": limit}
        cursor = ""
        while True:
            page = self._get("/jobs", JobList, **asked, cursor=cursor)
            yield from page.items
            cursor = page.next_cursor
            if not cursor:
                return

    def act(self, job_id: str, action: Action) -> JobDetail:
        """`client.act(job_id, Retry(step=400))`. Raise Conflict where the job's state does not allow it."""
        return self._post(f"/jobs/{_part(job_id)}/{action.action}", JobDetail, action.model_dump(mode="json"))

    def act_on(self, job_ids: Sequence[str], action: Action) -> tuple[ActionResult, ...]:
        """The same for many jobs, with a result for each."""
        asked = {"jobs": list(job_ids), "action": action.model_dump(mode="json")}
        return self._post("/jobs/actions", BulkView, asked).results

    def cancel(self, job_id: str) -> JobDetail:
        return self.act(job_id, Cancel())

    def notes(self, job_id: str) -> NotesView:
        return self._get(f"/jobs/{_part(job_id)}/notes", NotesView)

    def edit_notes(self, job_id: str, markdown: str, version: int) -> NotesView:
        """`version` is that of the notes that were changed. Raise Conflict where somebody has changed them since."""
        body = EditNotes(markdown=markdown, version=version).model_dump_json()
        sent = {"Content-Type": "application/json"}
        return self._call("PUT", f"/jobs/{_part(job_id)}/notes", NotesView, content=body, headers=sent)

    def metrics(
        self,
        job_id: str,
        names: Sequence[str],
        *,
        from_step: int | None = None,
        to_step: int | None = None,
        max_points: int | None = None,
    ) -> MetricsView:
        asked = {"name": list(names), "from_step": from_step, "to_step": to_step, "max_points": max_points}
        return self._get(f"/jobs/{_part(job_id)}/metrics", MetricsView, **asked)

    def logs(self, job_id: str, *, first_line: int = 1, limit: int | None = None) -> LogsView:
        """Lines from `first_line` on, counted from 1; a negative one counts from the end."""
        return self._get(f"/jobs/{_part(job_id)}/logs", LogsView, first_line=first_line, limit=limit)

    def events(
        self, job_id: str, *, cursor: str = "", limit: int | None = None, kind: str | None = None
    ) -> Page[EventView]:
        return self._get(f"/jobs/{_part(job_id)}/events", Page[EventView], cursor=cursor, limit=limit, kind=kind)

    def checkpoints(self, job_id: str) -> tuple[CheckpointView, ...]:
        return self._get(f"/jobs/{_part(job_id)}/checkpoints", Page[CheckpointView]).items

    def models(self) -> tuple[ModelView, ...]:
        return self._get("/models", Page[ModelView]).items

    def model(self, name: str) -> ModelView:
        return self._get(f"/models/{_part(name)}", ModelView)

    def add_model(self, name: str, path: Path | str) -> ModelView:
        return self._post("/models", ModelView, {"name": name, "path": str(path)})

    def datasets(self, *, trashed: bool = False) -> tuple[DatasetView, ...]:
        return self._get("/datasets", Page[DatasetView], trashed=trashed or None).items

    def dataset(self, name: str, version: int | None = None) -> DatasetView:
        return self._get(f"/datasets/{_part(name)}", DatasetView, version=version)

    def dataset_versions(self, name: str) -> tuple[DatasetView, ...]:
        return self._get(f"/datasets/{_part(name)}/versions", Page[DatasetView]).items

    def add_dataset(
        self, name: str, path: Path | str = "", *, on_work: Callable[[WorkView], None] = _unseen, **asked: Any
    ) -> DatasetView:
        """Register a file that the service can read, below one of its roots; or, with `upload` or `hub` of
        RegisterDataset instead of a path, from there. Waits for the check of a large one, telling `on_work` of it."""
        body = {"name": name} | ({"path": str(path)} if path else {}) | asked
        return self._finished("/datasets", DatasetView, body, on_work)

    def delete_dataset(self, name: str, *, for_good: bool = False) -> DatasetView:
        return self._call(
            "DELETE", f"/datasets/{_part(name)}", DatasetView, params={"for_good": True} if for_good else {}
        )

    def cached_tokens(self) -> tuple[CachedTokensView, ...]:
        return self._get("/datasets/-/cache", Page[CachedTokensView]).items

    def remove_cached_tokens(self, key: str) -> CachedTokensView:
        return self._call("DELETE", f"/datasets/-/cache/{_part(key)}", CachedTokensView)

    def restore_dataset(self, name: str) -> DatasetView:
        return self._post(f"/datasets/{_part(name)}/restore", DatasetView)

    def uploads(self) -> tuple[UploadView, ...]:
        """Those that have not become data sets."""
        return self._get("/uploads", Page[UploadView]).items

    def send_file(self, file: Path, on_sent: Callable[[int, int], None] = _unseen_bytes) -> tuple[str, str]:
        """Upload a file of this machine, from where an earlier try of the same file broke off. Its id and SHA-256."""
        return send_file(self._http, API, file, self.uploads(), on_sent)

    def upload_dataset(self, name: str, file: Path, **asked: Any) -> DatasetView:
        """Send a file of this machine and register it."""
        upload, sha256 = self.send_file(file)
        return self.add_dataset(name, upload=upload, sha256=sha256, **asked)

    def artifacts(self, job_id: str) -> tuple[ArtifactView, ...]:
        return self._get(f"/jobs/{_part(job_id)}/artifacts", Page[ArtifactView]).items

    def fetch_artifact(self, job_id: str, artifact: ArtifactView, target: Path) -> None:
        """Write the file to `target`, whose folders are made, piece by piece."""
        fetch_file(
            self._http, f"{API}/jobs/{_part(job_id)}/artifacts/{artifact.attempt}/{quote(artifact.path)}", target
        )

    def fetch_report(self, job_ids: Sequence[str], target: Path, on_size: Callable[[int], None] = _unseen_size) -> None:
        """Write the report of one job, or of several beside each other, telling its size in bytes before it comes."""
        if len(job_ids) == 1:
            path = f"{API}/jobs/{_part(job_ids[0])}/report.html"
        else:
            path = f"{API}/compare/report.html?{httpx.QueryParams({'run': list(job_ids)})}"
        fetch_file(self._http, path, target, on_size)

    def presets(self) -> tuple[PresetView, ...]:
        return self._get("/presets", Page[PresetView]).items

    def hosts(self) -> tuple[HostView, ...]:
        return self._get("/hosts", Page[HostView]).items

    def readings(self, host: str) -> HostReadingsView:
        """What the host read off its devices in the last ten minutes."""
        return self._get(f"/hosts/{_part(host)}/readings", HostReadingsView)

    def celery(self) -> CeleryView:
        return self._get("/celery", CeleryView)

    def drain(self, host: str, *, why: str = "", pause: bool = False) -> HostView:
        """Nothing new is placed on the host; with `pause` what runs there goes back to the queue."""
        return self._post(f"/hosts/{_part(host)}/drain", HostView, {"why": why, "pause": pause})

    def undrain(self, host: str) -> HostView:
        return self._post(f"/hosts/{_part(host)}/undrain", HostView)

    def release_device(self, host: str, index: int) -> HostView:
        """Place on a device again that was set aside after an error."""
        return self._post(f"/hosts/{_part(host)}/devices/{index}/release", HostView)

    def queue(self, limit: int = 100) -> QueueView:
        return self._get("/queue", QueueView, limit=limit)

    def health(self) -> HealthView:
        return self._get("/health", HealthView)

    def stream(self, job_ids: Sequence[str] = (), *, last_event_id: str = "") -> Iterator[StreamMessage]:
        """Events of these jobs (none: of all), from `last_event_id` on (MetricsView.cursor), for ever."""
        return read_stream(self._http, f"{API}/stream", job_ids, last_event_id)

    def _order(self, path: str, asked: Any, draft: bool, request_key: str) -> JobDetail:
        headers = {"Idempotency-Key": request_key} if request_key else {}
        return self._post(path + ("?draft=true" if draft else ""), JobDetail, asked, headers)

    def _finished(self, path: str, view: type[V], body: Any, on_work: Callable[[WorkView], None]) -> V:
        """The answer of a call that may take long, awaited. Raises what the work failed with."""
        answer = self._post(path, _Any, body).root
        while "fault" in answer and "state" in answer:
            work = WorkView.model_validate(answer)
            on_work(work)
            if work.state == "succeeded":
                return view.model_validate(work.result)
            if work.fault is not None:
                raise error_of(work.fault)
            if work.state == "cancelled":
                raise Conflict(f"the {work.kind} was cancelled", "ask again")
            time.sleep(_POLL_S)
            answer = self._work(work.id)
        return view.model_validate(answer)

    def _work(self, work_id: str) -> dict[str, Any]:
        """A service that is started again goes on with its works: it is waited for."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return self._get(f"/works/{work_id}", _Any).root
            except Unavailable:
                if time.monotonic() > deadline:
                    raise
            time.sleep(_POLL_S)

    def _get(self, path: str, view: type[V], **asked: Any) -> V:
        params = {name: value for name, value in asked.items() if value not in (None, "", [])}
        return self._call("GET", path, view, params=params)

    def _post(self, path: str, view: type[V], body: Any = None, headers: Mapping[str, str] | None = None) -> V:
        if body is None:
            return self._call("POST", path, view)
        # Not httpx's own encoder: it raises at NaN without naming the field, which the service does.
        sent = {"Content-Type": "application/json", **(headers or {})}
        return self._call("POST", path, view, content=json.dumps(body), headers=sent)

    def _call(self, method: str, path: str, view: type[V], **content: Any) -> V:
        try:
            response = self._http.request(method, f"{API}{path}", **content)
        except httpx.TransportError as error:
            raise from_transport(error, self.url) from error
        raise_for_error(response)
        try:
            return view.model_validate_json(response.content)
        except ValidationError as error:
            raise TunedeckError(
                f"{response.url} answered what this client does not understand: {error.errors()[0]['msg']}",
                "are the client and the service of the same version? `tunedeck doctor` shows both",
            ) from error


def _part(name: str) -> str:
    """One part of a path, whatever characters somebody typed."""
    return quote(name, safe="")


def _body(spec: JobSpec | Mapping[str, Any]) -> Any:
    return spec.model_dump(mode="json", exclude_unset=True) if isinstance(spec, JobSpec) else dict(spec)
