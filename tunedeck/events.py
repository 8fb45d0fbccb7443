"""What the engine says while it runs: one JSON object a line in `events.jsonl`, each with a sequence number.

`seq` starts at 1 in each attempt and only grows; (job, attempt, seq) names an event for ever, so every consumer may see
one twice and none may lose one. Numbers that are not finite are written as null, because JSON has no NaN.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, TypeAdapter

from tunedeck.fault import FaultScene
from tunedeck.spec import Component

Metrics = dict[str, float | None]


class EventBase(Component):
    seq: int = Field(ge=1)
    t: float = Field(description="unix time in seconds at which it happened")


class PhaseEvent(EventBase):
    """The engine has entered a phase: preparing (tokens), loading (weights), training, saving, exporting."""

    kind: Literal["phase"] = "phase"
    phase: Literal["preparing", "loading", "training", "saving", "exporting"]


class PlanEvent(EventBase):
    """Facts known once data and model are loaded: steps to do, samples kept and dropped, effective precision."""

    kind: Literal["plan"] = "plan"
    train_iters: int
    first_step: int = Field(description="1, or the step after the checkpoint that is resumed")
    facts: dict[str, Any]


class StepEvent(EventBase):
    """One optimizer step is done. `metrics` uses the names of `metrics.py`; `step` counts from 1."""

    kind: Literal["step"] = "step"
    step: int = Field(ge=1)
    metrics: Metrics


class EvalEvent(EventBase):
    """A validation loss, after `step` optimizer steps (0: before the first)."""

    kind: Literal["eval"] = "eval"
    step: int = Field(ge=0)
    metrics: Metrics


class CheckpointEvent(EventBase):
    """A checkpoint or an export is complete on disk. `path` is relative to the run folder."""

    kind: Literal["checkpoint"] = "checkpoint"
    step: int = Field(ge=0)
    path: str
    size_bytes: int
    format: Literal["dist_checkpointing", "huggingface"]


class CheckpointRemovedEvent(EventBase):
    kind: Literal["checkpoint_removed"] = "checkpoint_removed"
    step: int
    path: str


class Fp8Event(EventBase):
    """What an FP8 run really computed in, seen in one step on rank 0. `path`, relative to the run folder, is a JSON
    file with the names of all modules and kernels."""

    kind: Literal["fp8"] = "fp8"
    step: int
    recipes: dict[str, int] = Field(description="Transformer Engine's recipe classes; modules that computed in each")
    num_modules: int = Field(description="that multiply by weights and could compute in FP8")
    num_fp8_modules: int
    num_fp8_weights: int = Field(description="modules whose weights are held in FP8")
    num_fp8_kernels: int = Field(description="calls of kernels that multiply FP8 matrices; all three 0: not profiled")
    num_wide_kernels: int = Field(description="likewise bf16 or wider matrices")
    num_unknown_kernels: int = Field(description="likewise, of names that do not tell")
    path: str


class ErrorEvent(EventBase):
    """The engine knows why it will end: code, message and mend of `errors.py`, and where it stood."""

    kind: Literal["error"] = "error"
    code: str
    message: str
    mend: str
    scene: FaultScene = FaultScene()


class EndEvent(EventBase):
    """The last line of an engine that ended by itself."""

    kind: Literal["end"] = "end"
    outcome: Literal["succeeded", "stopped", "failed"]
    step: int
    why: str = Field("", description='why it ended before its last step, or ""')


Event = Annotated[
    PhaseEvent
    | PlanEvent
    | StepEvent
    | EvalEvent
    | CheckpointEvent
    | CheckpointRemovedEvent
    | Fp8Event
    | ErrorEvent
    | EndEvent,
    Field(discriminator="kind"),
]
event_adapter: TypeAdapter[Event] = TypeAdapter(Event)
KINDS: tuple[str, ...] = tuple(kind.model_fields["kind"].default for kind in get_args(get_args(Event)[0]))
