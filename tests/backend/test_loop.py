"""A thread of the backend goes on after a fault, and says so."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise

import pytest

from backend.loop import Loop


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not happen within ten seconds"
        time.sleep(0.005)


def test_a_round_that_raises_is_logged_shown_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    works = threading.Event()
    rounds: list[float] = []

    def round_() -> None:
        rounds.append(time.monotonic())
        if not works.is_set():
            raise OSError("the disk is away")

    loop = Loop("archive", round_, 0.01)
    with caplog.at_level(logging.INFO):
        loop.start()
        wait_until(lambda: len(rounds) >= 3)
        assert loop.fault == "OSError: the disk is away"
        works.set()
        wait_until(lambda: loop.fault == "")
        loop.ask_to_stop()
        loop.join(5)
    failures = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert len(failures) == 1, "the same fault again and again is one traceback"
    assert failures[0].exc_info is not None


def test_a_wake_does_not_wait_for_the_interval() -> None:
    rounds: list[float] = []
    loop = Loop("sleepy", lambda: rounds.append(0.0), 3600)
    loop.start()
    wait_until(lambda: len(rounds) == 1)
    loop.wake()
    wait_until(lambda: len(rounds) == 2)
    loop.ask_to_stop()
    loop.join(5)


def test_rounds_that_are_asked_for_apart_are_not_put_off_by_asking_again_and_give_way_to_a_plain_wake() -> None:
    began: list[float] = []
    loop = Loop("looks", lambda: began.append(time.monotonic()), 3600)
    loop.start()
    wait_until(lambda: len(began) == 1)

    def have_been_three() -> bool:
        loop.wake(0.2)
        return len(began) >= 3

    wait_until(have_been_three)
    assert all(later - earlier > 0.19 for earlier, later in pairwise(began))
    loop.wake(3000)
    loop.wake()
    wait_until(lambda: len(began) >= 4)
    loop.ask_to_stop()
    loop.join(5)


def test_a_round_may_ask_to_be_called_sooner() -> None:
    rounds: list[float] = []

    def round_() -> float:
        rounds.append(0.0)
        return 0.01

    loop = Loop("retries", round_, 3600)
    loop.start()
    wait_until(lambda: len(rounds) >= 3)
    loop.ask_to_stop()
    loop.join(5)


def test_a_round_that_only_waits_uses_nothing_of_its_share() -> None:
    rounds: list[float] = []

    def round_() -> None:
        time.sleep(0.1)
        rounds.append(0.0)

    loop = Loop("waits for a database", round_, 3600, most_share=0.001)
    loop.start()

    def have_been_four() -> bool:
        loop.wake()
        return len(rounds) >= 4

    wait_until(have_been_four)
    loop.ask_to_stop()
    loop.join(5)
