"""A job: as a row of a list, with all that is known of it, and what became of what was asked of it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_serializer

from tunedeck.actions import ActionName
from tunedeck.component import Component
from tunedeck.fault import FaultScene
from tunedeck.lifecycle import Desired, JobState
from tunedeck.memory import MemoryEstimate
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec
from tunedeck.views.conditions import Condition
from tunedeck.views.page import Page


class JobFault(Component):
    code: str
    message: str
    mend: str
    log_tail: tuple[str, ...] = ()
    scene: FaultScene = FaultScene()


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
