"""Where the points of a job are: rows of the feed that are still fresh, and chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import ColumnElement, Text, bindparam, cast, delete, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow
from backend.db.tables.metrics import MetricChunkRow, MetricOutlineRow
from backend.metrics.points import Chunk

# SQLite takes 32,766 values in a statement.
_IDS_AT_ONCE = 10_000

# What every chart asks for is put together once, of columns of tables: each time and of those of the mapped classes it
# would take longer than the answer.
_EVENTS, _CHUNKS, _OUTLINES = EventRow.__table__, MetricChunkRow.__table__, MetricOutlineRow.__table__
_PLANS = select(_EVENTS.c.attempt, _EVENTS.c.payload).where(
    _EVENTS.c.job_id == bindparam("job_id"), _EVENTS.c.kind == "plan"
)
_FRESH = (
    select(_EVENTS.c.attempt, _EVENTS.c.step, _EVENTS.c.t, cast(_EVENTS.c.payload, Text))
    .where(_EVENTS.c.job_id == bindparam("job_id"), _EVENTS.c.kind.in_(("step", "eval")))
    .where(_EVENTS.c.step >= bindparam("from_step"), _EVENTS.c.step <= bindparam("to_step"))
    .order_by(_EVENTS.c.id)
)
_HEAD = ("id", "metric", "attempt", "first_step", "last_step", "num_points")
_HEADS = (
    select(*(_CHUNKS.c[name] for name in _HEAD), _OUTLINES.c.points)
    .outerjoin_from(_CHUNKS, _OUTLINES, _OUTLINES.c.chunk_id == _CHUNKS.c.id)
    .where(_CHUNKS.c.job_id == bindparam("job_id"))
    .where(_CHUNKS.c.last_step >= bindparam("from_step"), _CHUNKS.c.first_step <= bindparam("to_step"))
    .order_by(_CHUNKS.c.id)
)
_HEADS_OF_SOME = _HEADS.where(_CHUNKS.c.metric.in_(bindparam("names", expanding=True)))


def first_steps(session: Session, job_id: str) -> dict[int, int]:
    """The first step of each attempt that has told its plan, by its number."""
    plans = session.execute(_PLANS, {"job_id": job_id})
    return {attempt: payload["first_step"] for attempt, payload in plans}


def fresh_points(
    session: Session, job_id: str, from_step: int, to_step: int
) -> Iterator[tuple[int, int, float, dict[str, float | None]]]:
    """Attempt, step, time and metrics of step and eval events that are still rows, in the order of the feed.

    The documents are taken as text and read by orjson: a busy run has a thousand of them.
    """
    wanted = {"job_id": job_id, "from_step": from_step, "to_step": to_step}
    for attempt, step, time, payload in session.execute(_FRESH, wanted):
        yield attempt, step or 0, time, orjson.loads(payload)["metrics"]


class ChunkHead(NamedTuple):
    """What is known of a chunk without reading its points. `outline` is None where it was compacted before there were
    outlines."""

    id: int
    metric: str
    attempt: int
    first_step: int
    last_step: int
    num_points: int
    outline: bytes | None


def chunk_heads(
    session: Session, job_id: str, names: frozenset[str], from_step: int, to_step: int
) -> Iterator[ChunkHead]:
    """Those that overlap the range, oldest first, with their outlines. An empty `names` means every metric."""
    wanted = {"job_id": job_id, "from_step": from_step, "to_step": to_step}
    if names:
        return map(ChunkHead._make, session.execute(_HEADS_OF_SOME, wanted | {"names": list(names)}))
    return map(ChunkHead._make, session.execute(_HEADS, wanted))


def chunks(
    session: Session,
    job_id: str,
    names: frozenset[str],
    from_step: int,
    to_step: int,
    *,
    only: Sequence[int] | None = None,
) -> Iterator[Chunk]:
    """Chunks that overlap the range, oldest first; of these `only` the ones with such an id."""
    if only is not None and not only:
        return iter(())
    chunk = MetricChunkRow
    query = (
        select(chunk.metric, chunk.attempt, chunk.steps, chunk.times, chunk.values)
        .where(*_overlaps(job_id, names, from_step, to_step))
        .order_by(chunk.id)
    )
    if only is None:
        return (Chunk(*row) for row in session.execute(query))
    return (
        Chunk(*row)
        for start in range(0, len(only), _IDS_AT_ONCE)
        for row in session.execute(query.where(chunk.id.in_(only[start : start + _IDS_AT_ONCE])))
    )


def _overlaps(job_id: str, names: frozenset[str], from_step: int, to_step: int) -> list[ColumnElement[bool]]:
    chunk = MetricChunkRow
    conditions = [chunk.job_id == job_id, chunk.last_step >= from_step, chunk.first_step <= to_step]
    return [*conditions, chunk.metric.in_(names)] if names else conditions


def attempts_to_compact(session: Session, since: float, before: float) -> Sequence[AttemptRow]:
    """Those that run or have ended since then, and have step events or superseded `job` events from before `before`."""
    is_active = or_(AttemptRow.ended_at.is_(None), AttemptRow.ended_at >= since)
    of_job, is_settled = EventRow.job_id == AttemptRow.job_id, EventRow.t < before
    has_steps = exists().where(of_job, EventRow.kind == "step", EventRow.attempt == AttemptRow.number, is_settled)
    later = aliased(EventRow)
    is_superseded = exists().where(later.job_id == EventRow.job_id, later.kind == "job", later.id > EventRow.id)
    has_views = exists().where(of_job, EventRow.kind == "job", is_settled, is_superseded)
    return session.scalars(select(AttemptRow).where(is_active, or_(has_steps, has_views))).all()


def num_steps_to_compact(session: Session, attempt: AttemptRow, before: float, limit: int) -> int:
    """How many there are, counted no further than `limit`."""
    some = select(EventRow.id).where(*_is_compactable(attempt, before)).limit(limit).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def steps_to_compact(session: Session, attempt: AttemptRow, before: float, limit: int) -> Sequence[EventRow]:
    """The oldest step events of an attempt that happened before then, in the engine's order."""
    query = select(EventRow).where(*_is_compactable(attempt, before)).order_by(EventRow.seq)
    return session.scalars(query.limit(limit)).all()


def delete_events(session: Session, event_ids: Sequence[int]) -> None:
    session.execute(delete(EventRow).where(EventRow.id.in_(event_ids)))


def delete_superseded_views(session: Session, job_id: str, before: float) -> None:
    """Delete `job` events older than `before`, but never the newest one of the job."""
    views = (EventRow.job_id == job_id, EventRow.kind == "job")
    newest = select(func.max(EventRow.id)).where(*views).scalar_subquery()
    session.execute(delete(EventRow).where(*views, EventRow.t < before, EventRow.id < newest))


def _is_compactable(attempt: AttemptRow, before: float) -> list[ColumnElement[bool]]:
    """What lies behind a gap is left: it may be sent again, and would then come a second time. After the end of the
    attempt nothing more is taken in."""
    conditions = [
        EventRow.job_id == attempt.job_id,
        EventRow.kind == "step",
        EventRow.attempt == attempt.number,
        EventRow.t < before,
    ]
    if attempt.ended_at is None:
        conditions.append(EventRow.seq <= attempt.ingested_seq)
    return conditions
