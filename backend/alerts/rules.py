"""The rules that are switched on, and whether one is about a job."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.alerts import AlertRuleRow
from backend.health.judged import Judged
from backend.jobs.tags import tags_of
from tunedeck.alerts import AlertScope, When, WhenCondition, WhenMetric, WhenState

log = logging.getLogger(__name__)

_when: TypeAdapter[When] = TypeAdapter(When)
_complained: set[str] = set()
# In the notes of a session.
_ENABLED = "enabled alert rules"


@dataclass(frozen=True)
class Rule:
    row: AlertRuleRow
    when: WhenState | WhenCondition | WhenMetric
    scope: AlertScope

    @classmethod
    def of(cls, row: AlertRuleRow) -> Rule:
        return cls(row, _when.validate_python(row.when), AlertScope.model_validate(row.scope))

    def is_about(self, job: Judged) -> bool:
        scope = self.scope
        return (
            scope.job in ("", job.id)
            and (not scope.name or fnmatchcase(job.name, scope.name))
            and (not scope.tag or scope.tag in tags_of(job.tags))
        )


def enabled(session: Session) -> list[Rule]:
    """As they were when the session was first asked: ingest asks at every change of state."""
    if _ENABLED not in session.info:
        rows = session.scalars(select(AlertRuleRow).where(AlertRuleRow.enabled).order_by(AlertRuleRow.created_at))
        session.info[_ENABLED] = [rule for row in rows if (rule := _readable(row)) is not None]
    return cast(list[Rule], session.info[_ENABLED])


def _readable(row: AlertRuleRow) -> Rule | None:
    """None: another version wrote it. That must cost nobody the events of a training, so it is logged and left out."""
    try:
        return Rule.of(row)
    except ValidationError as fault:
        if row.id not in _complained:
            log.error("the rule %s (%s) is left out, it cannot be read: %s", row.id, row.name, fault)
        _complained.add(row.id)
        return None
