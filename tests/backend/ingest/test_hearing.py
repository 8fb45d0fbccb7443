"""When the silence of a worker means something."""

from __future__ import annotations

import pytest

from backend.ingest.hearing import Hearing, Moment

LEASE_S = 10.0
ROUND_S = 0.5


class Listening:
    """A hearing whose clocks go on only when it asks."""

    def __init__(self) -> None:
        self.wall_s, self.steady_s = 1_000_000.0, 50.0
        self.hearing = Hearing(LEASE_S, lambda: Moment(self.wall_s, self.steady_s))

    def pass_time(self, seconds: float) -> None:
        self.wall_s += seconds
        self.steady_s += seconds

    def round(self, takes_s: float = ROUND_S) -> None:
        with self.hearing.asking(ROUND_S):
            self.pass_time(takes_s)
        self.hearing.all_is_stored()

    def for_a_lease(self) -> None:
        for _ in range(2 + round(LEASE_S / ROUND_S)):
            self.round()


@pytest.fixture
def listening() -> Listening:
    made = Listening()
    made.for_a_lease()
    return made


def test_silence_is_judged_after_a_lease_and_up_to_when_the_bus_was_last_asked(listening: Listening) -> None:
    assert listening.hearing.silence_until() == listening.wall_s - ROUND_S
    listening.pass_time(3.0)
    assert listening.hearing.silence_until() == listening.wall_s - ROUND_S - 3.0


def test_a_bus_that_stood_still_is_listened_to_for_a_lease_again(listening: Listening) -> None:
    listening.round(takes_s=4.0)
    assert listening.hearing.silence_until() is None
    listening.for_a_lease()
    assert listening.hearing.silence_until() is not None


@pytest.mark.parametrize("jump_s", [3600.0, -3600.0])
def test_nothing_is_judged_across_a_jump_of_the_clock(listening: Listening, jump_s: float) -> None:
    listening.wall_s += jump_s
    assert listening.hearing.silence_until() is None
    listening.round()
    assert listening.hearing.silence_until() is None
    listening.for_a_lease()
    assert listening.hearing.silence_until() == listening.wall_s - ROUND_S


def test_a_slow_correction_of_the_clock_is_no_jump(listening: Listening) -> None:
    for _ in range(10):
        listening.wall_s += 0.4
        listening.round()
    assert listening.hearing.lasted_s() > LEASE_S
