"""Takes jobs in: those that were handed in together are resolved and stored in one transaction.

A transaction for each was rejected: writers go one after the other, so what a commit costs would be the most that
anybody can post, however many post at once. One that cannot run spoils none of the others. They are resolved while
nobody else may write, so that nothing they need is thrown away meanwhile: that takes a tenth of a millisecond a job.
Resolving them first, from a snapshot, took longer: a second session, and a second look at what the first had read.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.many_rows import insert_together
from backend.jobs import queries, spec_index
from backend.jobs.creation import Creation, rows_of
from backend.jobs.detail import detail
from backend.jobs.facts import Facts
from backend.jobs.intake import Intake, resolve_spec
from backend.jobs.spec_index import Sections, sections_of_spec
from tunedeck.errors import TunedeckError
from tunedeck.ids import new_id
from tunedeck.lifecycle import Desired, JobState
from tunedeck.spec import JobSpec

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Order:
    """How a job is taken: `draft` keeps it out of the queue; a `request_key` ("": none) makes one job however often the
    owner sends it."""

    owner: str
    draft: bool = False
    request_key: str = ""

    @property
    def request(self) -> tuple[str, str]:
        return (self.owner, self.request_key)


@dataclass(frozen=True)
class HandedIn:
    """`at` is unix time in seconds; `why` stands in the first line of the job's history."""

    order: Order
    spec: JobSpec
    at: float
    why: str = "submitted"


# A JobDetail as JSON, or why there is none.
Taken = bytes | Exception


@dataclass(frozen=True)
class Prepared:
    """A job that may be stored."""

    creation: Creation
    sections: Sections

    @property
    def job_id(self) -> str:
        return self.creation.job.id


def take(database: Database, handed_in: Sequence[HandedIn]) -> list[Taken]:
    """A job for each, or why it was not taken; then nothing is stored of it. Raises what stops all of them."""
    try:
        return _take(database, handed_in)
    except TunedeckError:
        raise
    except Exception:
        if len(handed_in) == 1:
            raise
        log.exception("%d jobs cannot be stored together and are so one by one", len(handed_in))
        return [_take_one(database, each) for each in handed_in]


def _take_one(database: Database, handed_in: HandedIn) -> Taken:
    try:
        [taken] = _take(database, [handed_in])
    except Exception as fault:
        return fault
    return taken


def _take(database: Database, handed_in: Sequence[HandedIn]) -> list[Taken]:
    with database.writing() as session:
        facts = Facts(session, handed_in[-1].at)
        return _store(session, handed_in, [_prepared(facts, each) for each in handed_in])


def _prepared(facts: Facts, handed_in: HandedIn) -> Prepared | TunedeckError:
    try:
        intake = resolve_spec(facts, handed_in.order.owner, handed_in.spec)
    except TunedeckError as fault:
        return fault
    order = handed_in.order
    creation = Creation(_columns(handed_in, intake), handed_in.spec, order.owner, handed_in.why, handed_in.at)
    sections = sections_of_spec(handed_in.spec, creation.columns["resolved"])
    return Prepared(creation, sections)


def _store(
    session: Session, handed_in: Sequence[HandedIn], prepared: Sequence[Prepared | TunedeckError]
) -> list[Taken]:
    made = queries.by_request_keys(session, [each.order.request for each in handed_in if each.order.request_key])
    new: dict[str, Prepared] = {}
    taken: list[str | TunedeckError] = []
    for each, found in zip(handed_in, prepared, strict=True):
        if job_id := made.get(each.order.request):
            taken.append(job_id)
        elif isinstance(found, TunedeckError):
            taken.append(found)
        else:
            new[found.job_id] = found
            taken.append(found.job_id)
            if each.order.request_key:
                made[each.order.request] = found.job_id
    sections = spec_index.rows_of(session, {job_id: each.sections for job_id, each in new.items()})
    insert_together(session, (*rows_of([each.creation for each in new.values()]), *sections))
    return [each if isinstance(each, TunedeckError) else _told(session, each, new) for each in taken]


def _told(session: Session, job_id: str, new: Mapping[str, Prepared]) -> bytes:
    if job_id in new:
        return new[job_id].creation.detail_json()
    return detail(session, job_id).model_dump_json().encode()


def _columns(handed_in: HandedIn, intake: Intake) -> dict[str, Any]:
    order, spec = handed_in.order, handed_in.spec
    return {
        "id": new_id(),
        "name": spec.name,
        "state": (JobState.DRAFT if order.draft else JobState.QUEUED).value,
        "desired": Desired.RUN.value,
        "owner": order.owner,
        "priority": spec.queue.priority,
        "preemptible": spec.queue.preemptible,
        "max_attempts": spec.queue.max_attempts or 0,
        "request_key": order.request_key or None,
        "model": spec.model,
        "dataset": spec.dataset,
        **intake.columns(),
    }
