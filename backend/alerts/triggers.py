"""What makes an alert: a new state, something wrong that began or ended, a metric past its threshold.

Called where the change is made, in its transaction: by jobs/transitions.py, by ingest for each batch of events, and by
health/silence.py. A thread that looks for changes afterwards was rejected: it could miss one, or tell it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import get_args

from sqlalchemy.orm import Session

from backend.alerts import metric_rules, rules
from backend.alerts.metric_rules import Change
from backend.alerts.opening import open_alert, resolve, resolve_all, tell_once
from backend.alerts.rules import Rule
from backend.db.tables.jobs import JobRow
from backend.health import conditions
from backend.health.judged import Judged
from tunedeck.alerts import AlertState, WhenCondition, WhenMetric, WhenState
from tunedeck.events import Event
from tunedeck.lifecycle import HOLDS_DEVICES, JobState

_TOLD_STATES = frozenset(get_args(AlertState))


def on_transition(session: Session, job: JobRow, had: Iterable[str], why: str, now: float) -> None:
    """`job` has its new state and `conditions`; `had` are the codes of those that it had before."""
    before = set(had)
    if job.state in _TOLD_STATES:
        about = [rule for rule in rules.enabled(session) if rule.is_about(job)]
        for rule in about:
            if isinstance(rule.when, WhenState) and rule.when.state == job.state:
                tell_once(session, rule.row, job, f"{job.name} is {job.state}: {why}", now)
        tell(session, job, list(_of_conditions(about, job, before)), now)
    if JobState(job.state) not in HOLDS_DEVICES:
        resolve_all(session, job, conditions.codes(job), now)
        if job.rule_alarms:
            job.rule_alarms = {}


def changes(enabled: Sequence[Rule], job: Judged, events: Sequence[Event], had: Iterable[str]) -> list[Change]:
    """What begins and ends with `events`, which are new and in order; the job's `conditions` are those after them."""
    about = [rule for rule in enabled if rule.is_about(job)]
    by_metric = [(rule, rule.when) for rule in about if isinstance(rule.when, WhenMetric)]
    return [*_of_conditions(about, job, set(had)), *metric_rules.changes(job, by_metric, events)]


def tell(session: Session, job: JobRow, found: Sequence[Change], now: float) -> None:
    for change in found:
        if change.is_on:
            open_alert(session, change.rule.row, job, change.text, change.step, now)
        else:
            resolve(session, change.rule.row, job, now)


def _of_conditions(about: Sequence[Rule], job: Judged, before: set[str]) -> Iterator[Change]:
    now_wrong = {condition.code: condition for condition in conditions.of_job(job)}
    for rule in about:
        if not isinstance(rule.when, WhenCondition):
            continue
        code = rule.when.code
        if code in now_wrong and code not in before:
            yield Change(rule, True, f"{job.name}: {now_wrong[code].sentence}", now_wrong[code].step)
        elif code in before and code not in now_wrong:
            yield Change(rule, False, "", job.step)
