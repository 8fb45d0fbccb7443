"""Every field of every spec, so that jobs are found by any of them without reading 10,000 documents.

A spec is cut into its sections (optimizer, precision …). Most jobs share most sections, so each different section is
stored once, field by field, under its hash, and a job names the sections that it is made of: some twenty narrow rows
instead of 150. Looking into the JSON of the specs was rejected: 60 MB to parse for each search among 10,000 jobs.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Table, delete, select
from sqlalchemy.orm import Session

from backend.db.tables import JobSectionRow, SpecValueRow
from backend.db.upsert import insert_new
from backend.jobs.search.fields import NOTHING, spec_fields
from tunedeck.spec import JobSpec

# They are columns of the job itself.
_OF_THE_JOB = frozenset({"name", "model", "dataset"})
_MOST_CHARACTERS = 500


@dataclass(frozen=True)
class SpecValue:
    """`text` is how a search names the value; `number` is None where it is none."""

    path: str
    text: str
    number: float | None


Sections = Mapping[str, tuple[SpecValue, ...]]


def sections_of(asked: Mapping[str, Any], resolved: Mapping[str, Any]) -> Sections:
    """The sections of a spec by their hashes: what was asked for, under what it was resolved to."""
    leaves = {path: value for path, value in _leaves(asked) if path not in _OF_THE_JOB}
    leaves |= {path: value for path, value in _leaves(resolved) if path not in _OF_THE_JOB}
    sections: dict[str, list[SpecValue]] = defaultdict(list)
    for path, value in sorted(leaves.items()):
        sections[path.rpartition(".")[0].partition(".")[0]].append(_spec_value(path, value))
    return {_hash_of(values): tuple(values) for values in sections.values()}


def sections_of_spec(spec: JobSpec, resolved: Mapping[str, Any]) -> Sections:
    return sections_of(spec.model_dump(mode="json"), resolved)


def store(session: Session, job_id: str, sections: Sections) -> None:
    """Make the job found by these sections, and by no others that it had."""
    session.execute(delete(JobSectionRow).where(JobSectionRow.job_id == job_id))
    query = select(SpecValueRow.section).where(SpecValueRow.section.in_(sections)).distinct()
    new = sections.keys() - set(session.scalars(query))
    insert_new(session, cast(Table, SpecValueRow.__table__), value_rows({name: sections[name] for name in new}))
    insert_new(
        session, cast(Table, JobSectionRow.__table__), [{"section": name, "job_id": job_id} for name in sections]
    )


def value_rows(sections: Sections) -> list[dict[str, Any]]:
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


def _hash_of(values: list[SpecValue]) -> str:
    told = json.dumps([(value.path, value.text) for value in values])
    return hashlib.sha256(told.encode()).hexdigest()[:32]
