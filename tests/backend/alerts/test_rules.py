"""Which alerts open and resolve, for which jobs, and that none does twice."""

from __future__ import annotations

import time
from typing import Any

import pytest
from sqlalchemy import select

from backend.alerts import service
from backend.db.database import Database
from backend.db.tables.alerts import AlertRuleRow
from backend.db.tables.events import EventRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs.transitions import transition
from tests.backend.alerts.conftest import NOW, add_webhook
from tests.backend.ingest.conftest import Ingesting, ingesting
from tests.support.jobs import add_job, add_running_job, ended_message, events_message, step_line
from tunedeck.alerts import AlertRule
from tunedeck.lifecycle import JobState

__all__ = ["ingesting"]


def add_rule(database: Database, when: dict[str, Any], **more: Any) -> str:
    rule = AlertRule.model_validate({"name": "mine", "when": when, **more})
    return service.put_rule(database, "", rule, NOW).id


def told(database: Database) -> list[tuple[str, str]]:
    """Event and text of each delivery, the oldest first."""
    return [(item.event, item.text) for item in reversed(service.deliveries(database, 100).items)]


@pytest.fixture
def job_id(database: Database) -> str:
    add_webhook(database, "http://127.0.0.1:1/")
    with database.writing() as session:
        return add_running_job(session, time.time(), name="demo", tags=" a b ").id


def steps(first: int, last: int, **metrics: float) -> list[str]:
    return [step_line(n, n, **({"loss": 1.0} | metrics)) for n in range(first, last + 1)]


def test_a_spike_opens_one_alert_and_resolves_it_when_it_is_over(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(events_message(job_id, steps(1, 40)))
    ingesting.hear(events_message(job_id, steps(41, 41, loss=9.0)))
    ingesting.hear(events_message(job_id, steps(41, 43, loss=9.0)))
    spiked = next(rule for rule in service.rules(database).items if rule.id == "loss-spike")
    unchanged = AlertRule.model_validate(spiked.model_dump(exclude={"id"}))
    service.put_rule(database, "loss-spike", unchanged, NOW)  # means what it meant
    [alert] = service.alerts(database, job_id, True, 10).items
    assert (alert.rule, alert.job_name, alert.step) == ("The loss has a spike", "demo", 41)
    ingesting.hear(events_message(job_id, steps(44, 50)))
    text = "demo: Loss spike: up to 9.000 since step 41, from about 1.020."
    assert told(database) == [("opened", text), ("resolved", text)]
    assert service.alerts(database, "", True, 10).items == ()


def test_the_end_of_a_job_resolves_what_was_wrong_with_it(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    add_rule(database, {"kind": "metric", "metric": "loss", "comparison": "above", "threshold": 5})
    ingesting.hear(events_message(job_id, [*steps(1, 40), *steps(41, 41, loss=9.0)]))
    assert len(service.alerts(database, job_id, True, 10).items) == 2
    ingesting.hear(ended_message(job_id, "succeeded"))
    assert service.alerts(database, job_id, True, 10).items == ()
    assert [event for event, _ in told(database)].count("opened") == 3


def test_the_end_of_a_job_resolves_alerts_of_rules_that_are_no_longer_about_it(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    """Nor known to anybody but the table of alerts: the job has nothing wrong and no alarm any more."""
    add_rule(database, {"kind": "condition", "code": "loss_spike"}, scope={"tag": "a"})
    ingesting.hear(events_message(job_id, [*steps(1, 40), *steps(41, 41, loss=9.0)]))
    with database.writing() as session:
        session.get_one(JobRow, job_id).tags = ""
    ingesting.hear(events_message(job_id, steps(42, 52)))
    assert [alert.rule for alert in service.alerts(database, job_id, True, 10).items] == ["mine"]
    ingesting.hear(ended_message(job_id, "succeeded"))
    assert service.alerts(database, job_id, True, 10).items == ()
    assert [event for event, _ in told(database)].count("resolved") == 2


@pytest.mark.parametrize("change", [{"enabled": False}, {"scope": {"job": "another"}}, {"when": {"threshold": 7}}])
def test_a_rule_that_is_changed_closes_what_it_opened_and_begins_anew(
    ingesting: Ingesting, database: Database, job_id: str, change: dict[str, Any]
) -> None:
    when = {"kind": "metric", "metric": "temperature_c", "comparison": "above", "threshold": 5}
    rule_id = add_rule(database, when)
    ingesting.hear(events_message(job_id, steps(1, 1, temperature_c=9.0)))
    assert len(service.alerts(database, job_id, True, 10).items) == 1
    other = {"name": "mine", **change, "when": when | change.get("when", {})}
    service.put_rule(database, rule_id, AlertRule.model_validate(other), NOW)
    assert service.alerts(database, job_id, True, 10).items == ()
    with database.reading() as session:
        assert rule_id not in session.get_one(JobRow, job_id).rule_alarms
    service.put_rule(database, rule_id, AlertRule.model_validate({"name": "mine", "when": when}), NOW)
    ingesting.hear(events_message(job_id, steps(2, 2, temperature_c=9.0)))
    assert [alert.step for alert in service.alerts(database, job_id, True, 10).items] == [2]


def test_an_alert_comes_after_its_steps_and_knows_the_last_of_them(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(events_message(job_id, [*steps(1, 40), *steps(41, 43, loss=9.0)]))
    with database.reading() as session:
        in_order = select(EventRow).where(EventRow.kind.in_(("step", "alert"))).order_by(EventRow.id)
        events = session.scalars(in_order).all()
    assert [event.kind for event in events] == ["step"] * 43 + ["alert"]
    assert events[-1].payload["job"]["step"] == 43


def test_what_another_version_kept_of_rules_costs_no_step(
    ingesting: Ingesting, database: Database, job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    when = {"kind": "metric", "metric": "temperature_c", "comparison": "above", "threshold": 5}
    rule_id, unreadable = add_rule(database, when), add_rule(database, when)
    with database.writing() as session:
        session.get_one(JobRow, job_id).rule_alarms = {rule_id: {"of": "another version"}}
        session.get_one(AlertRuleRow, unreadable).when = {"kind": "of another version"}
    ingesting.hear(events_message(job_id, steps(1, 1, temperature_c=9.0)))
    ingesting.hear(events_message(job_id, steps(2, 2, temperature_c=9.0)))
    with database.reading() as session:
        assert session.get_one(JobRow, job_id).step == 2
    assert [alert.rule_id for alert in service.alerts(database, job_id, True, 10).items] == [rule_id]
    assert caplog.text.count(f"the rule {unreadable}") == 1


def test_a_loss_that_is_not_a_number_and_the_failure_are_both_told(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    ingesting.hear(ended_message(job_id, "failed", code="loss_not_finite", message="the loss of step 9 is nan"))
    texts = {"demo is failed: the loss of step 9 is nan", "demo: The loss of step 9 is nan."}
    assert {text for _, text in told(database)} == texts


def test_a_metric_must_be_past_its_threshold_for_so_many_points(
    ingesting: Ingesting, database: Database, job_id: str
) -> None:
    """And one that wavers about it makes one alert: it is over after ten points on the other side."""
    when = {"kind": "metric", "metric": "temperature_c", "comparison": "above", "threshold": 80, "steps": 3}
    rule_id = add_rule(database, when)
    hot, cool = {"temperature_c": 85.0}, {"temperature_c": 75.0}
    ingesting.hear(events_message(job_id, [*steps(1, 2, **hot), *steps(3, 3, **cool), *steps(4, 5, **hot)]))
    assert told(database) == []
    ingesting.hear(events_message(job_id, steps(6, 6, **hot)))
    assert told(database) == [("opened", "demo: temperature_c is 85.00, above 80.00 since step 4.")]
    for first in range(7, 27, 4):
        ingesting.hear(events_message(job_id, [*steps(first, first + 2, **cool), *steps(first + 3, first + 3, **hot)]))
    assert len(told(database)) == 1
    ingesting.hear(events_message(job_id, steps(27, 36, **cool)))
    assert [event for event, _ in told(database)] == ["opened", "resolved"]
    assert [alert.rule_id for alert in service.alerts(database, job_id, False, 10).items] == [rule_id]


def test_a_window_in_seconds_is_waited_for(ingesting: Ingesting, database: Database, job_id: str) -> None:
    when = {"kind": "metric", "metric": "loss", "comparison": "below", "threshold": 2, "seconds": 30.0}
    add_rule(database, when)
    ingesting.hear(events_message(job_id, steps(1, 30)))  # step n is told at second n
    assert told(database) == []
    ingesting.hear(events_message(job_id, steps(31, 31)))
    assert len(told(database)) == 1


@pytest.mark.parametrize(
    ("scope", "is_about"),
    [
        ({}, True),
        ({"name": "de*"}, True),
        ({"name": "other*"}, False),
        ({"job": "nobody"}, False),
        ({"tag": "b"}, True),
        ({"tag": "c"}, False),
    ],
)
def test_a_rule_is_about_the_jobs_of_its_scope(
    database: Database, job_id: str, scope: dict[str, str], is_about: bool
) -> None:
    add_rule(database, {"kind": "state", "state": "paused"}, scope=scope)
    with database.writing() as session:
        job = session.get_one(JobRow, job_id)
        transition(session, job, JobState.PAUSING, "first", "asked", NOW)
        transition(session, job, JobState.PAUSED, "worker", "asked", NOW)
    assert bool(told(database)) is is_about


def test_a_rule_that_is_off_or_goes_elsewhere_tells_this_channel_nothing(database: Database, job_id: str) -> None:
    other = add_webhook(database, "http://127.0.0.1:2/", "other")
    for rule in service.rules(database).items:
        changed = AlertRule.model_validate(
            rule.model_dump(exclude={"id"}) | {"enabled": rule.name != "A run has failed"}
        )
        service.put_rule(database, rule.id, changed, NOW)
    add_rule(database, {"kind": "state", "state": "failed"}, channels=[other])
    with database.writing() as session:
        transition(session, session.get_one(JobRow, job_id), JobState.FAILED, "worker", "died", NOW)
    assert [item.channel for item in service.deliveries(database, 10).items] == ["other"]


def test_without_a_channel_alerts_are_kept_and_nothing_is_sent(database: Database) -> None:
    with database.writing() as session:
        job = add_job(session, NOW, state="running", attempt=1)
        session.add(
            AttemptRow(
                job_id=job.id, number=1, host="box", num_devices=1, lease_expires_at=0, message_sent_at=0, placed_at=0
            )
        )
        transition(session, job, JobState.FAILED, "worker", "died", NOW)
    assert len(service.alerts(database, "", False, 10).items) == 1
    assert told(database) == []
