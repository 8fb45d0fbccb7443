from __future__ import annotations

from itertools import islice

import httpx
import pytest

from tests.client import samples
from tests.client.service import StandIn
from tunedeck.client import Client
from tunedeck.client.follow import follow_job, follow_log
from tunedeck.client.stream import parse, read_stream
from tunedeck.errors import LoginRequired


def test_a_broken_connection_goes_on_after_the_last_id(service: StandIn, client: Client) -> None:
    service.streams = [
        samples.message("hello", {"cursor": "10"})
        + samples.message("step", {"n": 1}, "11")
        + "event: step\ndata: {cut",
        samples.message("step", {"n": 2}, "12"),
    ]
    messages = list(islice(client.stream(["j1", "j2"], last_event_id="9"), 3))
    assert [message.event for message in messages] == ["hello", "step", "step"]
    assert [message.id for message in messages] == ["", "11", "12"]
    assert [asked.headers.get("last-event-id") for asked in service.asked] == ["9", "11"]
    assert service.asked[0].query == {"job": ["j1", "j2"]}


def test_without_an_id_yet_it_goes_on_from_the_cursor_of_hello(service: StandIn, client: Client) -> None:
    service.streams = [samples.message("hello", {"cursor": "10"}), samples.message("step", {}, "11")]
    list(islice(client.stream(), 2))
    assert [asked.headers.get("last-event-id") for asked in service.asked] == [None, "10"]


def test_a_refusal_is_raised_and_not_tried_again(service: StandIn) -> None:
    service.on("GET /refused", samples.fault("login_required", "no such token"), status=401)
    with httpx.Client(base_url=service.url) as http, pytest.raises(LoginRequired):
        next(read_stream(http, "/api/v1/refused", [], ""))
    assert len(service.asked) == 1


def test_comments_and_messages_without_data_are_no_messages() -> None:
    lines = [": keep", "", "event: step", "", "event: log", 'data: {"lines": ["a: b"]}', ""]
    assert [(message.event, message.data) for message in parse(iter(lines))] == [("log", {"lines": ["a: b"]})]


def test_following_a_job_ends_with_its_final_state(service: StandIn, client: Client) -> None:
    service.on("GET /jobs/j1", samples.detail(state="starting"))
    service.streams = [
        samples.job_message("11", samples.job(state="running"))
        + samples.message("step", {"step": 1}, "12")
        + samples.job_message("13", samples.job(state="succeeded", step=300))
    ]
    seen = [(job.state, message.event) for job, message in follow_job(client, "j1")]
    assert seen == [("starting", "hello"), ("running", "job"), ("running", "step"), ("succeeded", "job")]


def test_a_job_that_ended_while_nobody_listened_is_noticed_at_the_reconnect(service: StandIn, client: Client) -> None:
    service.on("GET /jobs/j1", samples.detail(state="running"), samples.detail(state="failed"))
    service.streams = [samples.message("hello", {"cursor": "10"})]
    assert [job.state for job, _ in follow_job(client, "j1")] == ["running", "failed"]


def test_a_followed_log_has_every_line_once_over_attempts(service: StandIn, client: Client) -> None:
    def view(attempt: int, first_line: int, *lines: str) -> dict[str, object]:
        return {"attempt": attempt, "first_line": first_line, "lines": lines, "num_lines": first_line - 1 + len(lines)}

    service.on("GET /jobs/j1", samples.detail(state="running"))
    service.on(
        "GET /jobs/j1/logs",
        view(1, 4, "four", "five"),  # the last two lines, as asked
        view(1, 6),  # nothing new yet
        view(1, 6, "six"),
        view(1, 7),
        view(2, 7),  # a new attempt, whose log is still short
        view(2, 1, "one"),
        view(2, 2),
    )
    log = samples.message("log", {"job_id": "j1", "attempt": 1, "first_line": 6, "lines": ["six"]})
    service.streams = [log + samples.job_message("13", samples.job(state="succeeded"))]
    assert list(follow_log(client, "j1", 2)) == ["four", "five", "six", "--- attempt 2 ---", "one"]
    assert service.asked[0].query == {"first_line": ["-2"]}
