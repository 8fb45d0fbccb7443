"""What a report tells, read from the database: jobs, their curves thinned for drawing, and what happened to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.db.database import Database
from backend.events import queries as events
from backend.jobs import service as jobs
from backend.metrics import queries as metrics
from backend.metrics.service import Thinned, thinned
from tunedeck.views.jobs import JobDetail

LAST_STEP = 2**31 - 1
# As many as a chart of the pages has; with many runs fewer of each, down to what still shows a shape.
MOST_POINTS = 2_000
FEWEST_POINTS = 400
POINTS_OF_A_CHART = 20_000
MOST_HAPPENINGS = 500
_KINDS = frozenset({"phase", "plan", "checkpoint", "fp8", "error", "end"})


@dataclass(frozen=True)
class Happening:
    """A line of the timeline."""

    at: float
    attempt: int | None
    what: str
    why: str


@dataclass(frozen=True)
class Run:
    """`happenings` are at most MOST_HAPPENINGS, the oldest first; `first_steps` begin each attempt after the first."""

    job: JobDetail
    curves: Mapping[str, Thinned]
    happenings: Sequence[Happening]
    has_more_happenings: bool
    first_steps: Sequence[int]


def runs_of(database: Database, job_ids: Sequence[str], names: frozenset[str]) -> list[Run]:
    """With the metrics of `names`, none: all. Raises NotFound."""
    max_points = min(MOST_POINTS, max(FEWEST_POINTS, POINTS_OF_A_CHART // len(job_ids)))
    return [_run(database, job_id, names, max_points) for job_id in job_ids]


def _run(database: Database, job_id: str, names: frozenset[str], max_points: int) -> Run:
    job = jobs.get(database, job_id)
    _, curves = thinned(database, job_id, names, 0, LAST_STEP, max_points)
    with database.reading() as session:
        rows = events.events_after(session, job_id, 0, _KINDS, MOST_HAPPENINGS + 1)
        first_steps = metrics.first_steps(session, job_id)
    told = [Happening(row.t, row.attempt, row.kind, _why(row.kind, row.payload)) for row in rows[:MOST_HAPPENINGS]]
    changes = [Happening(each.at, None, each.to_state, f"{each.why} ({each.who})") for each in job.transitions]
    return Run(
        job=job,
        curves=curves,
        happenings=sorted(told + changes, key=lambda happening: happening.at),
        has_more_happenings=len(rows) > MOST_HAPPENINGS,
        first_steps=[step for attempt, step in sorted(first_steps.items()) if attempt > 1],
    )


def _why(kind: str, said: Mapping[str, object]) -> str:
    match kind:
        case "phase":
            return str(said["phase"])
        case "plan":
            return f"steps {said['first_step']} to {said['train_iters']}"
        case "checkpoint":
            return f"after step {said['step']}: {said['path']}"
        case "fp8":
            return f"{said['num_fp8_modules']} of {said['num_modules']} modules computed in FP8"
        case "error":
            return f"{said['message']} {said['mend']}".strip()
    return f"{said['outcome']} after step {said['step']} {said.get('why', '')}".strip()
