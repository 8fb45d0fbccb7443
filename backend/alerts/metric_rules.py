"""Rules about a metric: each keeps one alarm a job, so that an event costs a comparison for each rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from backend.alerts.rules import Rule
from backend.health import parts
from backend.health.alarm import Alarm
from backend.health.judged import Judged
from frontend.filters import count, number
from tunedeck.alerts import WhenMetric
from tunedeck.events import EvalEvent, Event, StepEvent

# A value that wavers about its threshold opens one alert and not hundreds.
LEAST_RECOVERY_POINTS = 10
_NEVER = 1 << 62


@dataclass(frozen=True)
class Change:
    rule: Rule
    is_on: bool
    text: str
    step: int


def changes(job: Judged, by_metric: Sequence[tuple[Rule, WhenMetric]], events: Sequence[Event]) -> Iterator[Change]:
    """What begins and ends with `events`; how far each rule is stays in `job.rule_alarms`."""
    if not by_metric:
        return
    alarms = {rule.row.id: parts.of(Alarm, job.rule_alarms.get(rule.row.id)) for rule, _ in by_metric}
    for event in events:
        if isinstance(event, StepEvent | EvalEvent):
            yield from _judged(job, by_metric, alarms, event)
    job.rule_alarms = {rule_id: parts.kept(alarm) for rule_id, alarm in alarms.items() if alarm != Alarm()}


def _judged(
    job: Judged, by_metric: Sequence[tuple[Rule, WhenMetric]], alarms: dict[str, Alarm], event: StepEvent | EvalEvent
) -> Iterator[Change]:
    for rule, when in by_metric:
        value, alarm = event.metrics.get(when.metric), alarms[rule.row.id]
        if value is None:
            continue
        was_on = alarm.is_on
        _judge(alarm, when, value, event)
        if alarm.is_on != was_on:
            yield Change(rule, alarm.is_on, _text(job, when, value, alarm.since_step), alarm.since_step)


def _judge(alarm: Alarm, when: WhenMetric, value: float, event: StepEvent | EvalEvent) -> None:
    is_past = value > when.threshold if when.comparison == "above" else value < when.threshold
    since = alarm.since if alarm.num_in_a_row else event.t
    is_long_enough = event.t - since >= when.seconds
    alarm.judge(
        event.step,
        event.t,
        bad=is_past,
        good=not is_past,
        begins_after=when.steps if is_long_enough else _NEVER,
        ends_after=max(when.steps, LEAST_RECOVERY_POINTS),
    )


def _text(job: Judged, when: WhenMetric, value: float, since_step: int) -> str:
    limit = f"{when.comparison} {number(when.threshold)} since step {count(since_step)}"
    return f"{job.name}: {when.metric} is {number(value)}, {limit}."
