"""Every field of every spec, so that jobs are found by any of them without reading 10,000 documents.

A spec is cut into its sections (optimizer, precision …). Most jobs share most sections, so each different section is
stored once, field by field, under its hash, and a job names the sections that it is made of: some twenty narrow rows
instead of 150. Looking into the JSON of the specs was rejected: 60 MB to parse for each search among 10,000 jobs.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, exists, select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.json_text import json_text
from backend.db.many_rows import Insertion, insert_together
from backend.db.tables.jobs import JobRow
from backend.db.tables.spec_index import JobSectionRow, SpecValueRow
from backend.jobs.search.fields import NOTHING, part_of, spec_fields
from tunedeck.spec import JobSpec

# They are columns of the job itself.
_OF_THE_JOB = frozenset({"name", "model", "dataset"})
_MOST_CHARACTERS = 500
_MISSING_AT_ONCE = 200

SPEC_VALUES = cast(Table, SpecValueRow.__table__)
JOB_SECTIONS = cast(Table, JobSectionRow.__table__)
# Of the table and not of the mapped class: that is half of what such a question costs.
_section_of_value = SPEC_VALUES.c.section
_KNOWN = select(_section_of_value).where(_section_of_value.in_(bindparam("sections", expanding=True))).distinct()


@dataclass(frozen=True)
class SpecValue:
    """`text` is how a search names the value; `number` is None where it is none."""

    path: str
    text: str
    number: float | None


Sections = Mapping[str, tuple[SpecValue, ...]]


def sections_of(asked: Mapping[str, Any], resolved: Mapping[str, Any]) -> Sections:
    """The sections of a spec by their hashes: what was asked for, under what it was resolved to."""
    below, above = _cut(asked), _cut(resolved)
    sections = (_section(below.get(name, "{}"), above.get(name, "{}")) for name in sorted(below.keys() | above.keys()))
    return {name: values for name, values in sections if values}


def _cut(spec: Mapping[str, Any]) -> dict[str, str]:
    """Its parts as JSON by their names; "" is that of the fields that are in none."""
    parts: dict[str, dict[str, Any]] = defaultdict(dict)
    for key, value in spec.items():
        is_part = isinstance(value, dict) and key not in spec_fields()
        parts[key if is_part else ""][key] = value
    return {name: json_text(part) for name, part in parts.items()}


@lru_cache(maxsize=4096)
def _section(asked_json: str, resolved_json: str) -> tuple[str, tuple[SpecValue, ...]]:
    """Remembered: most jobs share most sections, and a hash of each is most of what indexing a job would cost."""
    leaves = {path: value for path, value in _leaves(json.loads(asked_json)) if path not in _OF_THE_JOB}
    leaves |= {path: value for path, value in _leaves(json.loads(resolved_json)) if path not in _OF_THE_JOB}
    values = tuple(_spec_value(path, value) for path, value in sorted(leaves.items()))
    return _hash_of(values), values


def sections_of_spec(spec: JobSpec, resolved: Mapping[str, Any]) -> Sections:
    return sections_of(spec.model_dump(mode="json"), resolved)


def store(session: Session, job_id: str, sections: Sections) -> None:
    """Make the job found by these sections, and by no others that it had."""
    session.execute(delete(JobSectionRow).where(JobSectionRow.job_id == job_id))
    add(session, {job_id: sections})


def add(session: Session, by_job: Mapping[str, Sections]) -> None:
    """Make jobs that have no sections yet found by theirs."""
    insert_together(session, rows_of(session, by_job))


def rows_of(session: Session, by_job: Mapping[str, Sections]) -> tuple[Insertion, ...]:
    """What is to be stored, so that jobs that have no sections yet are found by theirs."""
    wanted = {name: values for sections in by_job.values() for name, values in sections.items()}
    found = session.connection().scalars(_KNOWN, {"sections": list(wanted)}) if wanted else ()
    new = wanted.keys() - set(found)
    named = [
        {"part": part_of(values[0].path), "section": name, "job_id": job_id}
        for job_id, sections in by_job.items()
        for name, values in sections.items()
    ]
    values = _value_rows({name: wanted[name] for name in new})
    return Insertion(SPEC_VALUES, values, may_clash=True), Insertion(JOB_SECTIONS, named, may_clash=True)


def add_missing(database: Database) -> None:
    """Make jobs found that were stored before there was an index, some at a time: nobody waits long to write."""
    last_id = ""
    while job_ids := _without_sections(database, last_id):
        with database.writing() as session:
            jobs = select(JobRow.id, JobRow.spec, JobRow.resolved).where(JobRow.id.in_(job_ids)).with_for_update()
            add(session, {job_id: sections_of(asked, resolved) for job_id, asked, resolved in session.execute(jobs)})
        last_id = job_ids[-1]


def _without_sections(database: Database, after: str) -> Sequence[str]:
    has_some = exists().where(JobSectionRow.job_id == JobRow.id)
    query = select(JobRow.id).where(JobRow.id > after, ~has_some).order_by(JobRow.id).limit(_MISSING_AT_ONCE)
    with database.reading() as session:
        return session.scalars(query).all()


def _value_rows(sections: Sections) -> list[dict[str, Any]]:
    return [{"section": name, **vars(value)} for name, values in sections.items() for value in values]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, Mapping) or path in spec_fields():
        yield path, value
        return
    for key, part in value.items():
        yield from _leaves(part, f"{path}.{key}" if path else key)


def _spec_value(path: str, value: Any) -> SpecValue:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = value if isinstance(value, str) else json.dumps(value) if value or is_number or value is False else NOTHING
    # "" stands for "none" in a resolved spec.
    return SpecValue(path, text[:_MOST_CHARACTERS] or NOTHING, float(value) if is_number else None)


def _hash_of(values: Sequence[SpecValue]) -> str:
    told = json.dumps([(value.path, value.text) for value in values])
    return hashlib.sha256(told.encode()).hexdigest()[:32]
