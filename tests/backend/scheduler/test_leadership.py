"""One leader at a time."""

from __future__ import annotations

import time

import pytest

from backend.db.database import Database
from backend.db.tables.leaders import LeaderRow
from backend.scheduler import leadership
from backend.scheduler.leadership import ROLE, Leadership


def leaders(database: Database) -> tuple[Leadership, Leadership]:
    """Two whose lease does not end while a busy machine gets round to the next line."""
    return Leadership(database, lease_s=600.0), Leadership(database, lease_s=600.0)


def test_a_second_backend_waits_and_takes_over_when_the_first_resigns(database: Database) -> None:
    first, second = leaders(database)
    first.renew()
    second.renew()
    assert (first.is_held(), second.is_held()) == (True, False)
    first.resign()
    second.renew()
    assert (first.is_held(), second.is_held()) == (False, True)


def test_a_leader_that_slept_through_its_lease_may_not_write(database: Database) -> None:
    first, second = leaders(database)
    first.renew()
    with database.writing() as session:
        session.get_one(LeaderRow, ROLE).expires_at = 0.0
    second.renew()
    with database.writing() as session:
        assert not first.holds(session)
        assert second.holds(session)


def test_a_backend_that_was_killed_is_followed_after_its_lease(database: Database) -> None:
    Leadership(database, lease_s=-1.0).renew()  # over as soon as it is taken
    next_one = Leadership(database)
    next_one.renew()
    assert next_one.is_held()


def test_a_backend_that_died_after_its_clock_was_set_back_is_followed_after_its_lease(database: Database) -> None:
    Leadership(database, lease_s=3600.0).renew()
    next_one = Leadership(database, lease_s=0.05)
    next_one.renew()
    assert not _leads(database, next_one)
    time.sleep(0.06)
    next_one.renew()
    assert _leads(database, next_one)


def test_who_waits_for_the_lead_takes_no_lock_until_it_is_free(database: Database) -> None:
    first, second = Leadership(database, lease_s=3600.0), Leadership(database)
    first.keep()
    with database.writing():  # whoever wanted to write now would wait for ever
        second.keep()
    assert not second.is_held()
    first.resign()
    second.keep()
    assert _leads(database, second)


def test_a_lead_is_renewed_before_it_ends(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leadership, "RENEWAL_S", 0.0)
    first, second = Leadership(database, lease_s=3600.0), Leadership(database)
    first.keep()
    taken = _expires_at(database)
    first.keep()
    second.keep()
    assert _expires_at(database) > taken
    assert _leads(database, first)


def _expires_at(database: Database) -> float:
    with database.reading() as session:
        return session.get_one(LeaderRow, ROLE).expires_at


def _leads(database: Database, leadership: Leadership) -> bool:
    with database.writing() as session:
        return leadership.holds(session)
