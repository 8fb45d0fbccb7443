"""Whether a queued job may be placed already, or waits for the time of its next try."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_

from backend.db.tables.jobs import JobRow
from tunedeck.retries import LONGEST_DELAY_S


def is_due(now: float | ColumnElement[float]) -> ColumnElement[bool]:
    """`now` is unix time in seconds. A try that lies further ahead than any that is set now is older than a clock that
    was set back."""
    return or_(JobRow.not_before <= now, JobRow.not_before > now + LONGEST_DELAY_S)
