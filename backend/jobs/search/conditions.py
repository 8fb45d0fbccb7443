"""Terms of a search as conditions on the table of jobs."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select

from backend.db.tables.jobs import JobNotesRow, JobRow
from backend.db.tables.spec_index import JobSectionRow, SpecValueRow
from backend.jobs.search.fields import NOTHING, Kind, part_of
from backend.jobs.search.terms import FieldTerm, FreeText, Term

Condition = ColumnElement[bool]

_COLUMNS: dict[str, ColumnElement[Any]] = {
    "name": JobRow.name.expression,
    "id": JobRow.id.expression,
    "state": JobRow.state.expression,
    "model": JobRow.model.expression,
    "dataset": JobRow.dataset.expression,
    "owner": JobRow.owner.expression,
    "priority": JobRow.priority.expression,
    "best_validation_loss": JobRow.best_validation_loss.expression,
}
# An expression, so that SQLite goes through the index of the search, newest first, and stops at a full page. By the
# bare column it would fetch each of thousands of jobs from the table first, where the specs lie between.
_SCANNED_ID = JobRow.id.concat("")
_FREE = (JobRow.name, JobRow.id, JobRow.model, JobRow.dataset, JobRow.tags)
_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    ":": operator.eq,
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def condition_of(term: Term) -> Condition:
    found = _free(term.text) if isinstance(term, FreeText) else _of_field(term)
    return ~found if term.is_negated else found


def _free(text: str) -> Condition:
    return or_(*(column.icontains(text, autoescape=True) for column in _FREE))


def _of_field(term: FieldTerm) -> Condition:
    if term.field.is_of_spec:
        return _of_spec(term)
    match term.field.name:
        case "tag":
            return or_(*(_has_tag(value, term.operator) for value in term.values))
        case "archived":
            return or_(
                *(JobRow.archived_at.is_not(None) if value == "true" else _unarchived() for value in term.values)
            )
        case "notes":
            wanted = _compared(term, JobNotesRow.markdown.expression, JobNotesRow.version.expression)
            return _is_among(select(JobNotesRow.job_id).where(wanted))
    column = _COLUMNS[term.field.name]
    # A job that has no such number yet is neither less nor greater; of what is unknown SQL would not even say "not".
    return and_(column.is_not(None), _compared(term, column, column))


def _of_spec(term: FieldTerm) -> Condition:
    wanted = _compared(term, SpecValueRow.text.expression, SpecValueRow.number.expression)
    parts = select(JobSectionRow.job_id).join(SpecValueRow, SpecValueRow.section == JobSectionRow.section)
    path = term.field.name
    return _is_among(parts.where(JobSectionRow.part == part_of(path), SpecValueRow.path == path, wanted))


def _is_among(job_ids: Select[str]) -> Condition:
    """PostgreSQL is told to look these up once, as SQLite does by itself: it expects to find a page of them soon, and
    would look into the spec of each job in turn, all 10,000 where few are among them."""
    once = job_ids.cte().prefix_with("MATERIALIZED", dialect="postgresql")
    return _SCANNED_ID.in_(select(once.c.job_id))


def _compared(term: FieldTerm, text: ColumnElement[Any], number: ColumnElement[Any]) -> Condition:
    if term.field.kind is Kind.NUMBER:
        compare = _COMPARED[term.operator]
        found = [compare(number, value) for value in term.numbers]
        return or_(*found, *([number.is_(None)] if NOTHING in term.values else []))
    if term.field.kind is Kind.TEXT and term.operator == ":":
        return or_(*(text.icontains(value, autoescape=True) for value in term.values))
    return func.lower(text).in_([value.lower() for value in term.values])


def _has_tag(tag: str, how: str) -> Condition:
    return JobRow.tags.icontains(f" {tag} " if how == "=" else tag, autoescape=True)


def _unarchived() -> Condition:
    return JobRow.archived_at.is_(None)
