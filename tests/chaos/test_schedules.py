"""Random schedules of the whole life of jobs; `make chaos` tries a thousand."""

from __future__ import annotations

from tests.chaos.schedules import try_schedules


def test_every_job_ends_once_whatever_happens_in_whatever_order() -> None:
    try_schedules(40, seed=5)
