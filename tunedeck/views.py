"""What REST sends out: JobView and its siblings. The service builds them, the client and the pages read them.

Times are unix seconds; sizes are bytes; a number that is not known yet is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import Field, field_serializer, model_validator

from tunedeck.actions import ActionName
from tunedeck.bus import HostFacts
from tunedeck.conversations import DatasetReport, Reading, Shape
from tunedeck.errors import Problem
from tunedeck.fault import FaultScene
from tunedeck.lifecycle import Desired, JobState
from tunedeck.log_lines import LogLevel
from tunedeck.memory import MemoryEstimate
from tunedeck.readings import DeviceReading
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import Component, JobSpec, LossMaskType, Name

T = TypeVar("T")


class Page(Component, Generic[T]):
    """One page of a list, newest first. `next_cursor` is what to send as `cursor` for the next page; "" at the end."""

    items: tuple[T, ...]
    next_cursor: str = ""


class JobFault(Component):
    code: str
    message: str
    mend: str
    log_tail: tuple[str, ...] = ()
    scene: FaultScene = FaultScene()


ConditionCode = Literal["loss_not_finite", "silent", "loss_spike", "memory_near_edge", "gpu_idle", "throughput_fell"]


class Condition(Component):
    """Something that is wrong with a run now. backend/health/rules.py says when each begins and ends."""

    code: ConditionCode
    sentence: str
    step: int = Field(description="at which it began")
    since: float


class UsageView(Component):
    """What a job has held so far, over all attempts: GPUs, or cores of a CPU host."""

    device: Literal["cpu", "cuda"] = "cuda"
    device_hours: float = 0.0
    cost: float | None = Field(None, description="at today's price of a GPU-hour; None without a price")
    currency: str = ""


class JobView(Component):
    id: str
    name: str
    state: JobState
    desired: Desired
    owner: str = Field(description="name of the token that submitted it")
    priority: int
    actions: tuple[ActionName, ...] = Field(description="those that change something now; a clone is always possible")
    model: str
    dataset: str
    attempt: int
    host: str = Field(description='"" while it waits')
    next_try_at: float | None = Field(description="when a queued job that failed is tried again, at the earliest")
    created_at: float
    started_at: float | None
    ended_at: float | None
    phase: str = Field(description='"" before the engine speaks')
    step: int
    train_iters: int
    eta_s: float | None
    latest: dict[str, float | None] = Field(description="the newest value of each metric")
    first_validation_loss: float | None
    best_validation_loss: float | None
    num_tokens: int | None = Field(
        description="in all steps that count, those of attempts that were gone back behind not"
    )
    num_trained_tokens: int | None = Field(None, description="of these, how many carry loss")
    total_tokens: int | None = Field(None, description="expected of the whole run, by the mean of the steps so far")
    memory_capacity_bytes: int | None = Field(None, description="what one rank may use of memory on its present host")
    checkpoint_step: int | None = Field(None, description="of the newest checkpoint")
    checkpoint_at: float | None = None
    usage: UsageView = UsageView()
    conditions: tuple[Condition, ...] = Field((), description="what is wrong, the gravest first")
    fault: JobFault | None
    tags: tuple[str, ...] = Field((), description="sorted")
    archived_at: float | None = None
    loss_curve: tuple[float | None, ...] = Field(
        (), description="training loss so far: means over equally many steps each, at most 40 values"
    )


class JobList(Page[JobView]):
    """`as_of` is an id of the feed: the list tells all that the stream has said up to there, and nothing after it."""

    as_of: str = "0"


class TransitionView(Component):
    """A line of a job's history. Two equal states: a wish changed, such as the priority."""

    at: float
    from_state: str
    to_state: str
    who: str
    why: str


class JobDetail(JobView):
    spec: JobSpec = Field(description="as asked: only what was given, by the user or by the preset")
    resolved: dict[str, Any] = Field(description="ResolvedSpec of the version that took the job")
    facts: dict[str, Any] = Field(description="what the engine reported when it started: PlanEvent.facts")
    transitions: tuple[TransitionView, ...]

    @field_serializer("spec")
    def _as_asked(self, spec: JobSpec) -> dict[str, Any]:
        """A default that nobody asked for must not look like a wish: a clone would pin it over its preset."""
        return spec.model_dump(mode="json", exclude_unset=True)


class ActionResult(Component):
    """What became of one job of a bulk action: its state, or why nothing was changed."""

    job_id: str
    state: JobState | None
    error: dict[str, Any] | None = Field(description="code, message, mend, problems of errors.py")


class BulkView(Component):
    results: tuple[ActionResult, ...]


class CheckedSpec(Component):
    """The answer to "would this run?": problems is empty exactly when it would."""

    resolved: ResolvedSpec | None
    memory: MemoryEstimate | None = Field(description="of the fullest rank; None where the spec would not run")
    problems: tuple[dict[str, Any], ...] = Field(description="Problem of errors.py, one per fault")


class Series(Component):
    """One metric: equally long lists. A value that was not finite is None.

    Downsampled lists keep the first, the last, the smallest and the largest value.
    """

    steps: tuple[int, ...]
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    num_points: int = Field(description="points before downsampling")


class MetricsView(Component):
    series: dict[str, Series]
    cursor: str = Field(description="send as Last-Event-ID to the stream to go on from here without a gap")


class EventView(Component):
    id: str = Field(description="place in the feed, what the stream sends as event id")
    job_id: str
    attempt: int
    kind: str
    t: float
    payload: dict[str, Any]


class LogsView(Component):
    """Lines of engine.log, the first numbered `first_line` (from 1). `num_lines` is how many are stored in all."""

    attempt: int
    first_line: int
    lines: tuple[str, ...]
    num_lines: int


class LogLine(Component):
    number: int = Field(description="from 1")
    text: str
    rank: int | None = Field(description="None: the line names none")
    level: LogLevel


class LogMatches(Component):
    """Lines of engine.log that were searched for, in order. `next_line` goes on behind them; 0: that was all."""

    attempt: int
    lines: tuple[LogLine, ...]
    next_line: int
    num_lines: int


class CheckpointView(Component):
    attempt: int
    step: int
    format: Literal["dist_checkpointing", "huggingface"]
    path: str
    size_bytes: int
    created_at: float


class ArtifactView(Component):
    """A file below `artifacts/` of an attempt's run folder. `kind` is its first folder, or its own name without one."""

    attempt: int
    kind: str
    path: str = Field(description="below artifacts/")
    size_bytes: int
    changed_at: float


class RegisterModel(Component):
    name: Name
    path: str = Field(min_length=1, max_length=4096, description="a Hugging Face folder below a configured root")


class ModelView(Component):
    id: str
    name: str
    path: str
    architecture: str
    num_parameters: int
    size_bytes: int
    config: dict[str, Any]
    from_job: str = Field(description='the job that exported it, or ""')
    created_at: float


class HubSource(Component):
    """A data set of the Hugging Face hub. `config` and `revision` ""`: the default ones."""

    id: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?$", max_length=200, description="owner/name")
    config: str = Field("", max_length=200)
    split: str = Field("train", pattern=r"^\w[\w.-]*$", max_length=80)
    revision: str = Field("", max_length=200)


class CheckDataset(Component):
    """Exactly one of `path`, `upload` and `hub` says where the rows are."""

    path: str = Field("", max_length=4096, description="a file below a configured root")
    upload: str = Field("", max_length=32, description="id of a complete upload")
    hub: HubSource | None = None
    reading: Reading = Reading()

    @model_validator(mode="after")
    def _exactly_one_source(self) -> Self:
        given = [name for name in ("path", "upload", "hub") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"give one of path, upload and hub, not {' and '.join(given) or 'none of them'}")
        return self


class RegisterDataset(CheckDataset):
    """With `sha256` (hexadecimal) the file must have that content."""

    name: Name
    sha256: str = Field("", pattern=r"^([0-9a-f]{64})?$")
    new_version: bool = Field(False, description="add a version to the data set of that name")


class DatasetView(Component):
    """One version of a data set; a version is never changed."""

    id: str
    owner: str
    name: str
    version: int
    newest_version: int
    source: Literal["path", "upload", "hub"]
    origin: str = Field(description="what its user named it by: a path, a file name, an id of the hub")
    path: str
    shape: Shape
    num_rows: int
    num_trainable_rows: int
    size_bytes: int
    content_sha256: str
    sample: tuple[dict[str, Any], ...] = Field(description="the first rows as messages")
    reading: Reading
    report: DatasetReport | None = Field(description="None: it was registered before rows were checked")
    created_at: float
    trashed_at: float | None


class UploadView(Component):
    """A file on its way. `offset` is how much of it is safe on the server's disk."""

    id: str
    file_name: str
    num_bytes: int
    offset: int
    last_modified_ms: int = Field(description="as the client said, to know the file again; 0: it did not")
    created_at: float
    expires_at: float


class WorkView(Component):
    """Long work of the backend. `done` of `total` `unit`s; total 0: not known. `result` is what the call that began it
    would have answered, had it been quick."""

    id: str
    kind: str
    title: str
    state: Literal["waiting", "running", "stopping", "succeeded", "failed", "cancelled"]
    done: int
    total: int
    unit: str
    created_at: float
    ended_at: float | None
    result: Any
    fault: dict[str, Any] | None = Field(description="code, message, mend, problems of errors.py")


class HeldView(Component):
    """What a job holds of a host."""

    job_id: str
    name: str
    owner: str
    state: JobState
    num_devices: int


class SetAsideView(Component):
    """A device that had errors: nothing new is placed on it until it is released."""

    index: int
    why: str
    since: float


class DrainView(Component):
    by: str
    why: str
    since: float


class DrainHost(Component):
    why: str = Field("", max_length=500, description="shown on the cluster page")
    pause: bool = Field(
        False, description="what runs there writes a checkpoint and goes back to the queue; else it runs to its end"
    )


class HostView(Component):
    """`num_free` devices would be placed on now: 0 on a host that is silent or drained."""

    facts: HostFacts
    last_seen_at: float
    alive: bool
    jobs: tuple[str, ...]
    num_free: int = 0
    held: tuple[HeldView, ...] = ()
    set_aside: tuple[SetAsideView, ...] = ()
    drained: DrainView | None = None


class DeviceReadingsView(Component):
    """What was read of one GPU, at the times of its host. None: nothing was, or the driver does not tell."""

    index: int
    job_id: str = Field(description='who held it at the last time, "": nobody')
    power_limit_w: float | None = Field(description="at the last time")
    utilization: tuple[float | None, ...]
    memory_bytes: tuple[int | None, ...]
    power_w: tuple[float | None, ...]
    temperature_c: tuple[float | None, ...]

    @classmethod
    def of(cls, index: int, readings: Sequence[DeviceReading | None]) -> Self:
        newest = readings[-1] if readings else None
        return cls(
            index=index,
            job_id=newest.job_id if newest else "",
            power_limit_w=newest.power_limit_w if newest else None,
            utilization=tuple(each and each.utilization for each in readings),
            memory_bytes=tuple(each and each.memory_bytes for each in readings),
            power_w=tuple(each and each.power_w for each in readings),
            temperature_c=tuple(each and each.temperature_c for each in readings),
        )


class HostReadingsView(Component):
    """The last ten minutes of a host, oldest first. A host whose cores are its devices has none here."""

    host: str
    times: tuple[float, ...]
    processor: tuple[float, ...] = Field(description="busy share of the cores")
    memory_bytes: tuple[int, ...]
    devices: tuple[DeviceReadingsView, ...]


class TaskQueueView(Component):
    """The Celery queue of one host. Its worker takes a message at once, so more than none for seconds is a fault."""

    host: str
    alive: bool
    last_seen_at: float
    num_waiting: int


class CeleryView(Component):
    """How the way between backend and workers is: broker, queues, the stream back, and who reads it."""

    broker: bool
    fault: str = Field(description='why the broker does not answer; ""')
    num_workers_alive: int
    last_heard_at: float | None = Field(description="the newest hello of any worker; None: there was none")
    queues: tuple[TaskQueueView, ...] = Field(description="of every host that ever said hello")
    num_tasks_waiting: int
    num_messages_waiting: int = Field(description="of workers, that are not in the database yet")
    most_messages: int = Field(description="at which workers wait; nothing is lost")
    ingest_lag_s: float = Field(description="age of the oldest of them; 0 where there is none")
    memory_bytes: int = Field(description="that the broker uses")
    memory_limit_bytes: int = Field(description="0: none was set")
    leader: str = Field(description='of the backends, which one schedules and ingests: HOST/PROCESS; "": none')
    is_leader: bool = Field(description="whether it is the one that answers")


class QueuedView(Component):
    """A job that waits for devices. `expected_start_at` is estimated from the time left of running jobs, whose end
    nobody else waits for earlier; None where that cannot be known. `not_before`: a retry that is not due yet."""

    position: int = Field(description="in the order in which jobs are placed, from 1")
    job_id: str
    name: str
    owner: str
    priority: int
    preemptible: bool
    device: Literal["cpu", "cuda"]
    num_devices: int
    created_at: float
    why: str
    expected_host: str = Field(description='"": not known')
    expected_start_at: float | None
    not_before: float | None


class ShareView(Component):
    """What an owner has had of a pool of hosts lately; docs/architecture.md has the formula."""

    owner: str
    pool: str
    device_seconds: float


class QueueView(Component):
    """The first `items` of all `num_waiting` jobs, in order, and the shares of their owners."""

    items: tuple[QueuedView, ...]
    num_waiting: int
    shares: tuple[ShareView, ...]


class PresetView(Component):
    name: str
    title: str
    explanation: str
    values: dict[str, Any]


class HealthView(Component):
    status: Literal["ok", "degraded"]
    version: str
    database: bool
    bus: bool
    num_hosts: int
    ingest_lag_s: float
    detail: tuple[str, ...] = Field(description="one sentence for each thing that is not well")


class CachedTokensView(Component):
    """A data set that a host keeps tokenised, for one tokenizer, template and loss mask. `key` names it for removal."""

    key: str
    data_file: str
    content_sha256: str
    model: str
    loss_mask_type: LossMaskType
    num_rows: int
    num_samples: int
    num_tokens: int
    num_trained_tokens: int
    size_bytes: int
    created_at: float
    last_used_at: float


__all__ = [name for name in dir() if name.endswith("View")] + ["Page", "Problem"]
