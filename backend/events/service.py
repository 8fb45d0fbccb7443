"""The events of one job as they are still rows; finished steps have become metrics (see backend/metrics)."""

from __future__ import annotations

from backend.db.database import Database
from backend.db.tables import EventRow
from backend.events import queries
from tunedeck.errors import BadInput, NotFound
from tunedeck.views import EventView, Page

_LARGEST_ID = 2**63 - 1
_MOST_DIGITS = 19


def events(database: Database, job_id: str, cursor: str, kinds: frozenset[str], limit: int) -> Page[EventView]:
    """One page, oldest first, of the events after `cursor` ("": from the beginning). Raises NotFound and BadInput."""
    after = event_id(cursor, "cursor")
    with database.reading() as session:
        if not queries.job_exists(session, job_id):
            raise NotFound(f"there is no job {job_id!r}", "list the jobs: GET /api/v1/jobs")
        rows = queries.events_after(session, job_id, after, kinds, limit + 1)
    shown = rows[:limit]
    return Page[EventView](
        items=tuple(map(event_view, shown)),
        next_cursor=str(shown[-1].id) if len(rows) > limit else "",
    )


def event_view(row: EventRow) -> EventView:
    return EventView(
        id=str(row.id), job_id=row.job_id, attempt=row.attempt, kind=row.kind, t=row.t, payload=row.payload
    )


def event_id(given: str, field: str) -> int:
    """A feed id as it is sent: decimal digits; "" is 0, before every event. Raises BadInput at `field`."""
    if not given:
        return 0
    is_number = given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS
    if is_number and int(given) <= _LARGEST_ID:
        return int(given)
    raise BadInput.at(field, given, f"{given!r} is not the id of an event", "send the id of an event, or nothing")
