"""What is wrong with a run, as sentences: kept beside the job, so that a list of jobs needs no other table.

The sentence of a condition that lasts is written anew, with the numbers of each batch of events. An end by a loss that
is not a number stays said; every other condition is over when the job gives its devices back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from backend.db.tables.jobs import JobRow
from backend.health.alarm import Alarm
from backend.health.judged import Judged
from backend.health.rules import CODES
from backend.health.watch import Watch
from frontend.filters import count, number, si, size
from tunedeck.errors import LossNotFinite
from tunedeck.lifecycle import HOLDS_DEVICES, JobState
from tunedeck.views.conditions import Condition, ConditionCode


def of_job(job: Judged) -> tuple[Condition, ...]:
    """The gravest first."""
    return tuple(Condition.model_validate(kept) for kept in job.conditions)


def codes(job: Judged) -> frozenset[str]:
    return frozenset(kept["code"] for kept in job.conditions)


def store(job: Judged, found: Iterable[Condition]) -> None:
    """Keep `found` beside the job in place of what was kept."""
    in_order = sorted(found, key=lambda condition: CODES.index(condition.code))
    kept = [condition.model_dump(mode="json") for condition in in_order]
    if kept != job.conditions:
        job.conditions = kept


def after_events(job: Judged, watch: Watch, capacity_bytes: int) -> None:
    """What is wrong by all events so far. Whoever speaks is not silent."""
    found = (
        _condition("loss_not_finite", watch.not_finite, lambda: _not_finite(watch)),
        _condition("loss_spike", watch.spike, lambda: _spike(watch)),
        _condition("memory_near_edge", watch.edge, lambda: _edge(watch, capacity_bytes)),
        _condition("gpu_idle", watch.idle, lambda: _idle(watch)),
        _condition("throughput_fell", watch.fell, lambda: _fell(watch)),
    )
    store(job, [condition for condition in found if condition])


def silent(job: JobRow, silent_since: float) -> None:
    """No event came since then (unix seconds). Said once, so the sentence holds no age: it would be wrong soon."""
    sentence = f"No event since step {count(job.step)}."
    condition = Condition(code="silent", sentence=sentence, step=job.step, since=silent_since)
    store(job, [condition, *(other for other in of_job(job) if other.code != "silent")])


def after_transition(job: JobRow, now: float) -> None:
    """The job has a new state."""
    state = JobState(job.state)
    if state in HOLDS_DEVICES:
        return
    fault = job.fault or {}
    if state is JobState.FAILED and fault.get("code") == LossNotFinite.code:
        said = str(fault.get("message", ""))
        sentence = f"{said[:1].upper()}{said[1:]}."
        store(job, [Condition(code="loss_not_finite", sentence=sentence, step=job.step + 1, since=now)])
    else:
        store(job, [])


def _condition(code: ConditionCode, alarm: Alarm, sentence: Callable[[], str]) -> Condition | None:
    if not alarm.is_on:
        return None
    return Condition(code=code, sentence=sentence(), step=alarm.since_step, since=alarm.since)


def _not_finite(watch: Watch) -> str:
    return f"Not a number since step {count(watch.not_finite.since_step)}."


def _spike(watch: Watch) -> str:
    since = count(watch.spike.since_step)
    return f"Loss spike: up to {number(watch.highest_loss)} since step {since}, from about {number(watch.loss.mean)}."


def _edge(watch: Watch, capacity_bytes: int) -> str:
    share = watch.peak_memory_bytes / capacity_bytes if capacity_bytes else 0.0
    return (
        f"Memory is near its edge: a rank used {size(watch.peak_memory_bytes)} of {size(capacity_bytes)},"
        f" {100 * share:.0f}%, since step {count(watch.edge.since_step)}."
    )


def _idle(watch: Watch) -> str:
    busy, waiting = watch.recent_utilization.mean, watch.recent_data_share.mean
    data = f"; {100 * waiting:.0f}% of a step waits for data" if waiting > 0 else ""
    return f"The GPUs are idle: {100 * busy:.0f}% busy since step {count(watch.idle.since_step)}{data}."


def _fell(watch: Watch) -> str:
    recent, usual = watch.recent_throughput.mean, watch.throughput.mean
    share = 1 - recent / usual if usual > 0 else 0.0
    return (
        f"Throughput fell by {100 * share:.0f}%: {si(recent)} tokens/s since step {count(watch.fell.since_step)},"
        f" {si(usual)} before."
    )
