"""Notices runs that say nothing any more, which no event can tell.

A silence counts only up to the moment until which everything that workers said is stored (backend/ingest/hearing.py): a
bus that is away silences everybody. A run whose worker is gone as well loses its lease long before.
"""

from __future__ import annotations

import time

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, defer

from backend.alerts import rules, triggers
from backend.db.database import Database
from backend.db.tables.jobs import JobRow
from backend.health import conditions
from backend.health.rules import SILENCE_S, patience_s
from backend.health.watch import Watch
from backend.ingest.hearing import Hearing
from backend.jobs.transitions import announce_all
from backend.scheduler.leadership import Leadership
from tunedeck.lifecycle import JobState

LOOK_EVERY_S = 5.0


class Silence:
    def __init__(self, database: Database, leadership: Leadership, hearing: Hearing) -> None:
        self._database = database
        self._leadership = leadership
        self._hearing = hearing

    def look(self) -> None:
        """Most rounds find nothing and take no write lock."""
        heard_until = self._hearing.silence_until() if self._leadership.is_held() else None
        if heard_until is None:
            return
        with self._database.reading() as session:
            found = [job.id for job in _silent_jobs(session, heard_until)]
        if found:
            self._tell(heard_until)

    def _tell(self, heard_until: float) -> None:
        with self._database.writing() as session:
            if not self._leadership.holds(session):
                return
            silent = _silent_jobs(session, heard_until)
            enabled, now = rules.enabled(session), time.time()
            for job in silent:
                had = conditions.codes(job)
                conditions.silent(job, job.heard_at)
                triggers.tell(session, job, triggers.changes(enabled, job, (), had), now)
            announce_all(session, silent, now)


def _silent_jobs(session: Session, heard_until: float) -> list[JobRow]:
    """Those that run and have been silent for longer than they may, and of which it is not said yet."""
    query = (
        select(JobRow)
        .where(JobRow.state == JobState.RUNNING, *_may_be_silent(heard_until))
        .options(defer(JobRow.spec), defer(JobRow.resolved))
    )
    return [job for job in session.scalars(query) if _is_news(job, heard_until)]


def _may_be_silent(heard_until: float) -> tuple[ColumnElement[bool], ...]:
    return JobRow.heard_at > 0, JobRow.heard_at < heard_until - SILENCE_S


def _is_news(job: JobRow, heard_until: float) -> bool:
    if any(condition.code == "silent" for condition in conditions.of_job(job)):
        return False
    longest_gap_s = Watch.of(job.watch).longest_gap_s
    return heard_until - job.heard_at > patience_s(job.phase, longest_gap_s, job.step_time_ema_s or 0.0)
