"""The pages. Each asks the service that REST asks, and hands its answer to a template as plain JSON values."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from backend.alerts import service as alerts
from backend.cluster import queue
from backend.cluster import service as cluster
from backend.cluster.celery_health import celery_health
from backend.datasets import service as datasets
from backend.health.rules import CODES
from backend.http.services import OwnerDep, Services, ServicesDep
from backend.jobs import service as jobs
from backend.jobs.queries import Archived, JobFilter
from backend.jobs.routes import MAX_SEARCH
from backend.models import service as models
from backend.notes import service as notes
from backend.pages.about import about_the_service
from backend.pages.rendering import render
from backend.prices import service as prices
from tunedeck.errors import BadInput, NotFound
from tunedeck.lifecycle import JobState
from tunedeck.metrics import CATALOGUE
from tunedeck.presets import PRESETS
from tunedeck.spec import JobSpec
from tunedeck.tokens.cache import TokenCache
from tunedeck.views.datasets import CachedTokensView, UploadView
from tunedeck.views.jobs import JobList
from tunedeck.views.page import Page
from tunedeck.views.presets import PresetView
from tunedeck.views.works import WorkView

router = APIRouter(include_in_schema=False)
_NUM_RUNS = 50
# What a filter button of the list stands for: who asks for running runs means those on their way too.
_GROUPS = {
    JobState.QUEUED: (JobState.QUEUED, JobState.HELD, JobState.DRAFT),
    JobState.RUNNING: (JobState.PLACING, JobState.STARTING, JobState.RUNNING, JobState.PAUSING, JobState.STOPPING),
}
_NUM_ENTRIES = 500
_NUM_WAITING = 50
_NUM_DELIVERIES = 20
_DATA_MEND = "The address may be mistyped, or it has been deleted for good. Every data set is in the list of data."
_RUN_MEND = "The address may be cut off or mistyped. Every run is in the list of runs."


@router.get("/")
def home() -> Response:
    return RedirectResponse("/runs", 303)


@router.get("/runs")
def runs_page(
    request: Request,
    services: ServicesDep,
    state: Annotated[list[JobState], Query(default_factory=list)],
    q: Annotated[str, Query(max_length=MAX_SEARCH)] = "",
    archived: Archived = "no",
) -> Response:
    """What can be searched for is typed by people: a search that makes no sense is told on the page."""
    states = tuple(each for name in state for each in _GROUPS.get(name, (name,)))
    shown, fault = JobList(items=(), as_of="0"), None
    try:
        shown = jobs.list_jobs(services.database, JobFilter(states, text=q, archived=archived), "", _NUM_RUNS)
    except BadInput as error:
        fault = error.as_dict()
    is_narrow = bool(state or q or archived != "no")
    return _page(request, services, "runs", jobs=shown, groups=_GROUPS, fault=fault, is_narrow=is_narrow)


@router.get("/runs/{job_id}")
def run_page(request: Request, services: ServicesDep, job_id: str) -> Response:
    with _mend_for_people(_RUN_MEND):
        job = jobs.get(services.database, job_id)
        written = notes.notes(services.database, job_id)
    return render(services.templates, "run.html", request, page="runs", job=_json(job), notes=_json(written))


@router.get("/compare")
def compare_page(request: Request, services: ServicesDep) -> Response:
    """`?run=ID`, repeated: the page itself asks for each of them."""
    return _page(request, services, "compare")


@router.get("/new")
def new_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    source: Annotated[str, Query(alias="from", max_length=32)] = "",
    dataset: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """The form. `?from=ID` fills it with the spec of that job, `?dataset=NAME` chooses that data set."""
    prefill: dict[str, Any] = {"dataset": dataset} if dataset else {}
    if source:
        with _mend_for_people(_RUN_MEND):
            prefill = jobs.get(services.database, source).spec.model_dump(mode="json", exclude_unset=True)
    return _page(
        request,
        services,
        "new",
        presets=Page[PresetView](items=PRESETS),
        models=models.list_models(services.database, "", _NUM_ENTRIES),
        datasets=datasets.list_datasets(services.database, owner, "", _NUM_ENTRIES),
        hosts=cluster.list_hosts(services.database, services.settings, time.time()),
        prefill=prefill,
        fields=JobSpec.model_json_schema(),
    )


@router.get("/data")
def data_page(request: Request, services: ServicesDep, owner: OwnerDep) -> Response:
    return _page(
        request,
        services,
        "data",
        datasets=datasets.list_datasets(services.database, owner, "", _NUM_ENTRIES),
        trashed=datasets.list_datasets(services.database, owner, "", _NUM_ENTRIES, trashed=True),
        uploads=Page[UploadView](items=services.uploads.all(owner)),
        works=Page[WorkView](items=tuple(work.view() for work in services.works.all(owner))),
        kept_tokens=Page[CachedTokensView](items=tuple(TokenCache(services.settings.token_cache_dir).entries())),
    )


@router.get("/data/{name}")
def dataset_page(
    request: Request,
    services: ServicesDep,
    owner: OwnerDep,
    name: str,
    version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None,
) -> Response:
    with _mend_for_people(_DATA_MEND):
        item = datasets.get(services.database, owner, name, version)
    return render(
        services.templates,
        "dataset.html",
        request,
        page="data",
        item=_json(item),
        versions=_json(datasets.versions(services.database, owner, name)),
        models=[model.name for model in models.list_models(services.database, "", _NUM_ENTRIES).items],
    )


@router.get("/models")
def models_page(request: Request, services: ServicesDep) -> Response:
    return _page(request, services, "models", models=models.list_models(services.database, "", _NUM_ENTRIES))


@router.get("/cluster")
def cluster_page(request: Request, services: ServicesDep) -> Response:
    now = time.time()
    hosts = cluster.list_hosts(services.database, services.settings, now)
    health = cluster.health(services.database, services.settings, services.background, now)
    waiting = queue.look(services.database, services.settings, _NUM_WAITING, now)
    celery = celery_health(services.database, services.settings, services.background, now)
    return _page(request, services, "cluster", hosts=hosts, health=health, queue=waiting, celery=celery)


@router.get("/settings")
def settings_page(request: Request, services: ServicesDep, owner: OwnerDep) -> Response:
    return _page(
        request,
        services,
        "settings",
        channels=alerts.channels(services.database),
        rules=alerts.rules(services.database),
        deliveries=alerts.deliveries(services.database, _NUM_DELIVERIES),
        prices=prices.prices(services.database),
        codes=CODES,
        metrics=[metric.name for metric in CATALOGUE],
        service=about_the_service(services.settings, owner),
    )


def _page(request: Request, services: Services, name: str, **context: Any) -> Response:
    plain = {key: _json(value) for key, value in context.items()}
    return render(services.templates, f"{name}.html", request, page=name, **plain)


@contextmanager
def _mend_for_people(mend: str) -> Iterator[None]:
    """What a service advises a program to do, a call of REST, is of no use to who looks at a page."""
    try:
        yield
    except NotFound as error:
        raise NotFound(error.message, mend) from error


def _json(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else value
