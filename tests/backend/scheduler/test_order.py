"""Who is next: priority, then fair share, then age."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.db.database import Database
from backend.scheduler.order import HELD_COUNTS_S, Waiting, in_order
from backend.scheduler.shares import HALF_LIFE_S, decayed_s, shares_of
from tests.support.jobs import add_attempt, add_job

NOW = 1_000_000.0
HOUR = 3600.0


def job(name: str, owner: str = "anna", priority: int = 0, created_at: float = 0.0, num_devices: int = 1) -> Waiting:
    return Waiting(name, owner, priority, created_at, "cuda", num_devices)


def names(*waiting: Waiting, **shares: float) -> list[str]:
    ordered = in_order(waiting, {(owner, "cuda"): share for owner, share in shares.items()})
    return [each.job_id for each in ordered]


def test_priority_comes_before_share_and_share_before_age() -> None:
    assert names(
        job("old", created_at=1), job("urgent", priority=5, created_at=9), job("frugal", owner="ben", created_at=5),
        anna=10.0,
    ) == ["urgent", "frugal", "old"]  # fmt: skip


def test_two_owners_alternate_though_one_came_with_all_jobs_first() -> None:
    annas = [job(f"a{number}", created_at=number) for number in range(3)]
    bens = [job(f"b{number}", "ben", created_at=10 + number) for number in range(3)]
    assert names(*annas, *bens) == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_large_job_counts_for_as_many_small_ones() -> None:
    annas = [job("large", num_devices=3)]
    bens = [job(f"b{number}", "ben", created_at=10 + number) for number in range(4)]
    assert names(*annas, job("next", created_at=1), *bens) == ["large", "b0", "b1", "b2", "next", "b3"]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-2, 2), st.floats(0, 9), st.integers(1, 8)), max_size=20),
    st.dictionaries(st.sampled_from("abc"), st.floats(0, 1e6)),
)
def test_nobody_is_lost_and_an_owners_jobs_of_one_priority_keep_their_age(
    asked: list[tuple[str, int, float, int]], shares: dict[str, float]
) -> None:
    queue = [job(str(number), owner, priority, at, size) for number, (owner, priority, at, size) in enumerate(asked)]
    ordered = list(in_order(queue, {(owner, "cuda"): share for owner, share in shares.items()}))
    assert sorted(ordered, key=lambda each: each.job_id) == sorted(queue, key=lambda each: each.job_id)
    assert [each.priority for each in ordered] == sorted((each.priority for each in queue), reverse=True)
    for owner in "abc":
        own = [(-each.priority, each.created_at) for each in ordered if each.owner == owner]
        assert own == sorted(own)


def test_the_share_is_device_seconds_of_which_a_day_old_one_counts_half(database: Database) -> None:
    with database.writing() as session:
        ended = add_job(session, NOW, "cuda", 4, state="succeeded", owner="anna")
        add_attempt(session, ended.id, 1, NOW, num_devices=4, placed_at=NOW - 25 * HOUR, ended_at=NOW - 24 * HOUR)
        running = add_job(session, NOW, "cuda", 2, state="running", owner="ben")
        add_attempt(session, running.id, 1, NOW, num_devices=2, placed_at=NOW)
        shares = shares_of(session, ["anna", "ben", "carl"], NOW)
    assert shares["anna", "cuda"] == pytest.approx(4 * HOUR / 2, rel=0.02)
    assert shares["ben", "cuda"] == pytest.approx(2 * HELD_COUNTS_S)
    assert set(shares) == {("anna", "cuda"), ("ben", "cuda")}


def test_the_decayed_time_is_the_integral_of_the_weight() -> None:
    """By the midpoint rule in steps of a minute."""
    start, end, minute = NOW - 50 * HOUR, NOW - 3 * HOUR, 60.0
    moments = (start + (number + 0.5) * minute for number in range(int((end - start) / minute)))
    expected = sum(minute * math.pow(2, -(NOW - moment) / HALF_LIFE_S) for moment in moments)
    assert decayed_s(start, end, NOW) == pytest.approx(expected, rel=1e-6)
