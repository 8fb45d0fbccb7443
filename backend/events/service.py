"""The events of one job as they are still rows; finished steps have become metrics (see backend/metrics)."""

from __future__ import annotations

from backend.db.database import Database
from backend.db.known_jobs import require_jobs
from backend.db.pages import page_of
from backend.db.tables.events import EventRow
from backend.events import queries
from backend.http.known_names import known_names
from tunedeck.errors import BadInput
from tunedeck.events import KINDS
from tunedeck.views.events import EventView
from tunedeck.views.page import Page

OURS = ("job", "alert")  # what we say ourselves; see backend/jobs/transitions.py and backend/alerts/opening.py
_LARGEST_ID = 2**63 - 1
_MOST_DIGITS = 19


def events(database: Database, job_id: str, cursor: str, kinds: frozenset[str], limit: int) -> Page[EventView]:
    """One page, oldest first, of the events after `cursor` ("": from the beginning). Raises NotFound and BadInput."""
    after = event_id(cursor, "cursor")
    known_names("kind", kinds, (*KINDS, *OURS))
    with database.reading() as session:
        require_jobs(session, [job_id])
        rows = queries.events_after(session, job_id, after, kinds, limit + 1)
    return page_of(rows, limit, lambda row: str(row.id), event_view)


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
