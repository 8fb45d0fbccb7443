"""What makes an alert: a new state, something wrong that began or ended, a metric past its threshold.

Called where the change is made, in its transaction: by jobs/transitions.py, by ingest for each batch of events, and by
health/silence.py. A thread that looks for changes afterwards was rejected: it could miss one, or tell it twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import get_args

from sqlalchemy.orm import Session

from backend.alerts import metric_rules, rules
from backend.alerts.opening import open_alert, resolve, tell_once
from backend.alerts.rules import Rule
from backend.db.tables import JobRow
from backend.health import conditions
from tunedeck.alerts import AlertState, WhenCondition, WhenMetric, WhenState
from tunedeck.events import Event
from tunedeck.lifecycle import HOLDS_DEVICES, JobState

_TOLD_STATES = frozenset(get_args(AlertState))


def on_transition(session: Session, job: JobRow, had: Iterable[str], why: str, now: float) -> None:
    """`job` has its new state and `conditions`; `had` are the codes of those that it had before."""
    is_over = JobState(job.state) not in HOLDS_DEVICES
    if job.state not in _TOLD_STATES and not (is_over and (set(had) or job.rule_alarms)):
        return
    found = [rule for rule in rules.enabled(session) if rule.is_about(job)]
    for rule in found:
        if isinstance(rule.when, WhenState) and rule.when.state == job.state:
            tell_once(session, rule.row, job, f"{job.name} is {job.state}: {why}", now)
    on_conditions(session, found, job, had, now)
    if is_over:
        _end_metric_alarms(session, found, job, now)


def on_conditions(session: Session, about: Sequence[Rule], job: JobRow, had: Iterable[str], now: float) -> None:
    """`about` are rules about this job."""
    before, now_wrong = set(had), {condition.code: condition for condition in conditions.of_job(job)}
    for rule in about:
        if not isinstance(rule.when, WhenCondition):
            continue
        code = rule.when.code
        if code in now_wrong and code not in before:
            open_alert(session, rule.row, job, f"{job.name}: {now_wrong[code].sentence}", now_wrong[code].step, now)
        elif code in before and code not in now_wrong:
            resolve(session, rule.row, job, now)


def on_events(
    session: Session, enabled: Sequence[Rule], job: JobRow, events: Sequence[Event], had: Iterable[str], now: float
) -> None:
    """`events` are new and in order, and the job's `conditions` are those after them."""
    about = [rule for rule in enabled if rule.is_about(job)]
    on_conditions(session, about, job, had, now)
    by_metric = [(rule, rule.when) for rule in about if isinstance(rule.when, WhenMetric)]
    for change in metric_rules.changes(job, by_metric, events):
        if change.is_on:
            open_alert(session, change.rule.row, job, change.text, change.step, now)
        else:
            resolve(session, change.rule.row, job, now)


def _end_metric_alarms(session: Session, about: Sequence[Rule], job: JobRow, now: float) -> None:
    for rule in about:
        if isinstance(rule.when, WhenMetric):
            resolve(session, rule.row, job, now)
    if job.rule_alarms:
        job.rule_alarms = {}
