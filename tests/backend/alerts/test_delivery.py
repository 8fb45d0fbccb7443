"""From the outbox to a receiver: once where all goes well, under one id where it does not, with no secret in sight."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Callable

import pytest
import trustme

from backend.alerts import courier as courier_module
from backend.alerts import service
from backend.alerts.channels import email, webhook
from backend.alerts.channels.letter import Outcome
from backend.alerts.courier import GIVEN_UP_AFTER_S, Courier, note
from backend.db.database import Database
from backend.db.tables.alerts import DeliveryRow
from backend.jobs.transitions import transition
from tests.backend.alerts.conftest import KEY, NOW, add_email, add_webhook, deliver, make_due
from tests.backend.alerts.receivers import hook_listening, is_signed, mail_server
from tests.support.jobs import add_running_job
from tests.support.waiting import wait_for
from tunedeck.alerts import Channel, Webhook
from tunedeck.errors import Conflict
from tunedeck.lifecycle import JobState

Started = Callable[[], Courier]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine must not cost a try."""
    monkeypatch.setattr(webhook, "TIMEOUT_S", 600.0)
    monkeypatch.setattr(courier_module, "TURN_S", 600.0)


@pytest.fixture
def trusted_server(monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Of a mail server whose certificate the courier trusts."""
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(client)
    monkeypatch.setattr(email.ssl, "create_default_context", lambda: client)
    return server


def fail_a_job(database: Database) -> str:
    with database.writing() as session:
        job = add_running_job(session, NOW, step=40, name="demo")
        transition(session, job, JobState.FAILED, "worker", "rank 1 died", NOW)
        return job.id


def test_a_receiver_that_fails_twice_gets_it_at_the_third_try_and_no_more(database: Database, courier: Started) -> None:
    with hook_listening(500, 307) as hook:
        add_webhook(database, hook.url)
        job_id = fail_a_job(database)
        for _ in range(5):
            deliver(courier())
            make_due(database)
    assert len(hook.got) == 3
    assert len({headers["Tunedeck-Delivery"] for headers, _ in hook.got}) == 1
    assert all(is_signed(KEY, headers, body) for headers, body in hook.got)
    told = json.loads(hook.got[-1][1])
    assert told["alert"]["text"] == "demo is failed: rank 1 died"
    assert (told["event"], told["job"]["id"]) == ("opened", job_id)
    assert told["url"] == f"https://tunedeck.example/runs/{job_id}"
    [delivery] = service.deliveries(database, 10).items
    assert (delivery.state, delivery.num_tries, delivery.last_error) == ("delivered", 3, "")


def test_a_backend_that_dies_before_it_delivers_leaves_it_to_the_next(database: Database, courier: Started) -> None:
    """What is told lies in the outbox with the change of state, or neither is there."""
    with hook_listening() as hook:
        add_webhook(database, hook.url)
        fail_a_job(database)
        with pytest.raises(RuntimeError), database.writing() as session:
            job = add_running_job(session, NOW)
            transition(session, job, JobState.FAILED, "worker", "never happened", NOW)
            raise RuntimeError
        assert hook.got == []
        deliver(courier())
        deliver(courier())
    assert [json.loads(body)["alert"]["text"] for _, body in hook.got] == ["demo is failed: rank 1 died"]


def test_one_that_dies_after_it_sent_sends_again_under_the_same_id(
    database: Database, courier: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise RuntimeError("the process is gone")

    with hook_listening() as hook:
        add_webhook(database, hook.url)
        fail_a_job(database)
        monkeypatch.setattr(courier_module, "note", die)
        deliver(courier())
        monkeypatch.undo()
        deliver(courier())
    assert len(hook.got) == 2
    assert len({headers["Tunedeck-Delivery"] for headers, _ in hook.got}) == 1


def test_a_channel_that_does_not_answer_holds_up_no_other(database: Database, courier: Started) -> None:
    with hook_listening() as hook:
        add_webhook(database, "http://127.0.0.1:1/", "gone")
        add_webhook(database, hook.url, "there")
        fail_a_job(database)
        deliver(courier())
        assert len(hook.got) == 1
    failed = next(item for item in service.deliveries(database, 10).items if item.channel == "gone")
    assert (failed.state, failed.last_error) == ("waiting", "no answer: ConnectError")


def test_while_one_receiver_is_waited_for_others_are_told_more(database: Database, courier: Started) -> None:
    with hook_listening() as slow, hook_listening() as quick:
        slow.may_answer.clear()
        add_webhook(database, slow.url, "slow")
        add_webhook(database, quick.url, "quick")
        started = courier()
        for num_told in (1, 2):
            fail_a_job(database)
            started.round()
            wait_for(lambda: "waiting" not in _of(database, "quick"), "the quick one is told")
            assert len(quick.got) == num_told
        wait_for(lambda: len(slow.got) == 1, "the slow one is asked")
        assert _of(database, "slow") == ["waiting", "waiting"]
        slow.may_answer.set()
        started.join(60.0)
        assert (_of(database, "slow"), len(slow.got)) == (["delivered", "delivered"], 2)


def _of(database: Database, channel: str) -> list[str]:
    return [item.state for item in service.deliveries(database, 10).items if item.channel == channel]


def test_a_status_is_an_answer_though_the_rest_never_comes(database: Database, courier: Started) -> None:
    with hook_listening() as hook:
        hook.may_end.clear()
        add_webhook(database, hook.url)
        fail_a_job(database)
        deliver(courier())
        assert _of(database, "ops") == ["delivered"]


def test_an_answer_that_never_comes_is_given_up(
    database: Database, courier: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT_S", 0.5)
    with hook_listening() as hook:
        hook.may_answer.clear()
        add_webhook(database, hook.url)
        fail_a_job(database)
        deliver(courier())
    assert service.deliveries(database, 1).items[0].last_error == "no answer: TimeoutError"


def test_a_courier_that_is_asked_to_stop_sends_nothing_more(database: Database, courier: Started) -> None:
    with hook_listening() as hook:
        hook.may_answer.clear()
        add_webhook(database, hook.url)
        fail_a_job(database)
        fail_a_job(database)
        started = courier()
        started.round()
        wait_for(lambda: hook.got, "the first")
        started.ask_to_stop()
        hook.may_answer.set()
        started.join(60.0)
        started.round()
        started.join(60.0)
        assert len(hook.got) == 1
    assert _of(database, "ops") == ["waiting", "delivered"]


def test_a_channel_that_is_switched_off_gets_tests_alone(database: Database, courier: Started) -> None:
    with hook_listening() as hook:
        channel_id = add_webhook(database, hook.url)
        fail_a_job(database)
        service.put_channel(database, channel_id, Channel(name="ops", enabled=False, to=Webhook()), NOW)
        service.send_test(database, channel_id, "first", NOW + 1)
        deliver(courier())
        fail_a_job(database)
        deliver(courier())
        assert [json.loads(body)["event"] for _, body in hook.got] == ["test"]
    given_up = service.deliveries(database, 10).items[-1]
    assert (given_up.state, given_up.last_error) == ("given_up", "the channel was switched off")
    with pytest.raises(Conflict):
        service.resend(database, given_up.id, NOW)


def test_tries_are_further_and_further_apart_and_end_after_a_day(database: Database) -> None:
    """5, 10, 20 … 2560 s, then every hour: 10 tries in 5115 s, and 22 hours more."""
    channel_id = add_webhook(database, "http://127.0.0.1:1/")
    delivery_id = service.send_test(database, channel_id, "first", NOW).id
    now, waits = NOW, []
    while True:
        with database.writing() as session:
            note(session, delivery_id, Outcome(False, "no"), now)
            next_try_at = session.get_one(DeliveryRow, delivery_id).next_try_at
        if next_try_at is None:
            break
        waits.append(next_try_at - now)
        now = next_try_at
    assert waits == [*(5.0 * 2**n for n in range(10)), *([3600.0] * 22)]
    assert now - NOW <= GIVEN_UP_AFTER_S
    assert service.deliveries(database, 1).items[0].state == "given_up"
    assert service.resend(database, delivery_id, now).state == "waiting"


@pytest.mark.any_database
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_goes_over_tls_after_a_login(
    database: Database, courier: Started, security: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = trustme.CA()
    server, client = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(server)
    with mail_server(server, tls_from_the_start=security == "tls") as box:
        add_email(database, box.port, security)
        fail_a_job(database)
        deliver(courier())
        assert box.mails == [], "the certificate of a stranger is refused"
        authority.configure_trust(client)
        monkeypatch.setattr(email.ssl, "create_default_context", lambda: client)
        make_due(database)
        deliver(courier())
    [mail] = box.mails
    text = bytes(mail.content).decode()
    assert (mail.mail_from, mail.rcpt_tos) == ("tunedeck@example.org", ["a@example.org"])
    assert "Subject: [Tunedeck] demo is failed: rank 1 died" in text
    assert "demo, failed, step 40 of 100" in text


@pytest.mark.any_database
def test_a_wrong_password_is_said_without_the_password(
    database: Database, courier: Started, trusted_server: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "backend"), mail_server(trusted_server, tls_from_the_start=False) as box:
        add_email(database, box.port, "starttls", password="another-secret")
        fail_a_job(database)
        deliver(courier())
    assert service.deliveries(database, 1).items[0].last_error == "the mail server answered 535"
    assert "another-secret" not in caplog.text


@pytest.mark.any_database
def test_a_link_local_address_is_never_asked(database: Database, courier: Started) -> None:
    add_webhook(database, "http://169.254.169.254/latest/meta-data")
    fail_a_job(database)
    deliver(courier())
    assert service.deliveries(database, 1).items[0].last_error.startswith("its host is a link-local address")


@pytest.mark.any_database
@pytest.mark.parametrize(
    "address",
    [
        *("169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1%eth0"),
        *("fd00:ec2::254", "100.100.100.200", "::ffff:100.100.100.200"),
    ],
)
def test_an_address_of_metadata_is_known_in_each_way_to_write_it(address: str) -> None:
    assert webhook.is_metadata(address)
    assert not any(map(webhook.is_metadata, ("127.0.0.1", "10.0.0.1", "::1", "fd00::1", "::ffff:10.0.0.1")))


@pytest.mark.any_database
def test_mail_that_was_taken_for_some_is_delivered_whatever_the_farewell(
    database: Database, courier: Started, trusted_server: ssl.SSLContext
) -> None:
    with mail_server(trusted_server, tls_from_the_start=False) as box:
        box.unknown, box.farewell = "b@example.org", "451 not now"
        add_email(database, box.port, "starttls", recipients=["a@example.org", "b@example.org"])
        fail_a_job(database)
        deliver(courier())
        deliver(courier())
        assert len(box.mails) == 1
    [delivery] = service.deliveries(database, 10).items
    assert (delivery.state, delivery.last_error) == ("delivered", "refused for: b@example.org")
