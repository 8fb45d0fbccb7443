"""Who gets which devices."""

from __future__ import annotations

import threading
from collections import defaultdict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.events import EventRow
from backend.db.tables.hosts import HostRow, SetAsideRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.db.tables.run_files import CheckpointRow
from backend.scheduler.placement import Dispatch, overdue_messages, place_queued, plan_now
from backend.scheduler.pools import MOST_ATTEMPTS_IN_RAY
from tests.support.jobs import add_attempt, add_host, add_job
from tests.support.resolved import resolved_json

NOW = 1_000_000.0


def place(session: Session, now: float = NOW) -> list[Dispatch]:
    return place_queued(session, plan_now(session, now, now - 15), now, alive_since=now - 15, lease_s=15)


def test_the_oldest_job_is_placed_first_with_all_that_goes_with_it(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=4)
        older = add_job(session, NOW, "cuda", 3)
        younger = add_job(session, NOW, "cuda", 3)
        dispatches = place(session)
    assert [(each.host, each.message.job_id, each.message.attempt) for each in dispatches] == [("box", older.id, 1)]
    with database.reading() as session:
        attempt = session.get_one(AttemptRow, (older.id, 1))
        assert (attempt.host, attempt.num_devices, attempt.lease_expires_at) == ("box", 3, NOW + 15)
        assert session.get_one(JobRow, older.id).state == "placing"
        assert session.get_one(JobRow, younger.id).state == "queued"
        assert session.scalars(select(EventRow.kind)).all() == ["job"]


def test_a_cpu_job_takes_the_whole_host(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, kind="cpu", num_devices=4)
        for _ in range(2):
            add_job(session, NOW, "cpu", 1)
        assert len(place(session)) == 1
        assert session.scalar(select(AttemptRow.num_devices)) == 4


def test_a_job_never_goes_to_a_host_of_another_kind_or_to_a_silent_one(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, name="cores", kind="cpu")
        add_host(session, NOW - 16, name="silent", kind="cuda")
        add_job(session, NOW, "cuda", 1)
        assert place(session) == []


def test_the_fullest_host_with_room_is_taken(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, name="empty", num_devices=8)
        add_host(session, NOW, name="half", num_devices=8)
        running = add_job(session, NOW, "cuda", 4, state="running", attempt=1)
        add_attempt(session, running.id, 1, NOW, host="half", num_devices=4)
        add_job(session, NOW, "cuda", 2)
        assert [each.host for each in place(session)] == ["half"]


def test_small_jobs_do_not_starve_a_large_one(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=8)
        running = add_job(session, NOW, "cuda", 4, state="running", attempt=1)
        add_attempt(session, running.id, 1, NOW, num_devices=4)
        large = add_job(session, NOW, "cuda", 8)
        add_job(session, NOW, "cuda", 1)
        assert place(session) == []
        session.get_one(AttemptRow, (running.id, 1)).ended_at = NOW
        session.flush()
        assert [each.message.job_id for each in place(session)] == [large.id]


def test_a_job_that_fits_nowhere_holds_nobody_up(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=8)
        add_job(session, NOW, "cuda", 16)
        small = add_job(session, NOW, "cuda", 1)
        assert [each.message.job_id for each in place(session)] == [small.id]


def test_a_later_job_of_higher_priority_goes_first(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=4)
        add_job(session, NOW, "cuda", 3)
        urgent = add_job(session, NOW, "cuda", 3, priority=1)
        assert [each.message.job_id for each in place(session)] == [urgent.id]


def test_an_owner_who_holds_devices_waits_for_one_who_does_not(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=4)
        running = add_job(session, NOW, "cuda", 2, state="running", attempt=1, owner="anna")
        add_attempt(session, running.id, 1, NOW, num_devices=2)
        add_job(session, NOW, "cuda", 2, owner="anna")
        bens = add_job(session, NOW, "cuda", 2, owner="ben")
        assert [each.message.job_id for each in place(session)] == [bens.id]


def test_a_job_that_is_not_due_yet_is_passed_over(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW)
        add_job(session, NOW, "cuda", 1, not_before=NOW + 10)
        assert place(session) == []
        assert len(place(session, NOW + 11)) == 1


def test_nothing_new_goes_to_a_drained_host_or_a_device_that_is_set_aside(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, name="drained", num_devices=8)
        session.get_one(HostRow, "drained").drained_at = NOW
        add_host(session, NOW, name="faulty", num_devices=4)
        errors = {"why": "Xid 79", "num_ecc_errors": 0, "num_xid_errors": 1, "set_aside_at": NOW}
        session.add(SetAsideRow(host="faulty", device_index=2, **errors))
        add_job(session, NOW, "cuda", 4)
        fits = add_job(session, NOW, "cuda", 3)
        [dispatch] = place(session)
    assert (dispatch.message.job_id, dispatch.host, dispatch.message.avoid_devices) == (fits.id, "faulty", (2,))


def test_a_preemptible_job_of_lower_priority_yields_once_and_the_other_gets_its_devices(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=8)
        low = add_job(session, NOW, "cuda", 6, state="running", attempt=1, priority=-1, preemptible=True)
        add_attempt(session, low.id, 1, NOW, num_devices=6)
        urgent = add_job(session, NOW, "cuda", 8)
        assert place(session) == []
        assert (low.state, urgent.state) == ("pausing", "queued")
        assert place(session) == []
        session.get_one(AttemptRow, (low.id, 1)).ended_at = NOW
        session.flush()
        assert [each.message.job_id for each in place(session)] == [urgent.id]


def test_what_is_not_preemptible_or_no_lower_is_left_alone(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=2)
        for priority, preemptible in ((-1, False), (0, True)):
            running = add_job(
                session, NOW, "cuda", 1, state="running", attempt=1, priority=priority, preemptible=preemptible
            )
            add_attempt(session, running.id, 1, NOW)
        add_job(session, NOW, "cuda", 2)
        assert place(session) == []
        assert set(session.scalars(select(JobRow.state))) == {"running", "queued"}


def test_a_new_attempt_goes_on_from_the_newest_complete_checkpoint(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW)
        job = add_job(session, NOW, "cuda", 1, attempt=2)
        for attempt, step, form in ((1, 900, "dist_checkpointing"), (2, 200, "dist_checkpointing")):
            session.add(_checkpoint(job.id, attempt, step, form))
        session.add(_checkpoint(job.id, 2, 999, "huggingface"))
        session.flush()
        [dispatch] = place(session)
        assert (dispatch.message.attempt, dispatch.message.resume_from) == (3, "/runs/2/200")
        assert session.get_one(AttemptRow, (job.id, 3)).first_step == 201


def test_a_message_is_sent_again_only_while_nobody_has_taken_it_up(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW)
        add_job(session, NOW, "cuda", 1)
        [first] = place(session)
        assert overdue_messages(session, NOW + 4, patience_s=5) == []
        assert overdue_messages(session, NOW + 6, patience_s=5) == [first]
        assert overdue_messages(session, NOW + 7, patience_s=5) == []
        session.get_one(JobRow, first.message.job_id).state = "starting"
        session.flush()
        assert overdue_messages(session, NOW + 60, patience_s=5) == []


def test_a_plan_whose_host_is_drained_before_it_is_carried_out_is_made_again(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, name="fullest", num_devices=2)
        add_host(session, NOW, name="other", num_devices=4)
        job = add_job(session, NOW, "cuda", 2)
        plan = plan_now(session, NOW, NOW - 15)
        assert plan.hosts == {"fullest"}
        session.get_one(HostRow, "fullest").drained_at = NOW
        session.flush()
        [dispatch] = place_queued(session, plan, NOW, alive_since=NOW - 15, lease_s=15)
        assert (dispatch.host, dispatch.message.job_id) == ("other", job.id)


def test_a_plan_does_not_preempt_what_has_ended_before_it_is_carried_out(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=8)
        low = add_job(session, NOW, "cuda", 6, state="running", attempt=1, priority=-1, preemptible=True)
        attempt = add_attempt(session, low.id, 1, NOW, num_devices=6)
        high = add_job(session, NOW, "cuda", 8)
        plan = plan_now(session, NOW, NOW - 15)
        assert [victim.job_id for kept in plan.kept for victim in kept.preempts] == [low.id]
        low.state, attempt.ended_at = "succeeded", NOW
        session.flush()
        [dispatch] = place_queued(session, plan, NOW, alive_since=NOW - 15, lease_s=15)
        assert (dispatch.message.job_id, low.state) == (high.id, "succeeded")


def test_eight_threads_never_give_a_device_twice(database: Database) -> None:
    num_jobs, hosts = 60, {f"host{number}": 8 for number in range(3)}
    with database.writing() as session:
        for name, num_devices in hosts.items():
            add_host(session, NOW, name=name, num_devices=num_devices)
        for number in range(num_jobs):
            add_job(session, NOW, "cuda", 1 + number % 8)
    faults: list[str] = []
    threads = [threading.Thread(target=_place_and_end, args=(database, hosts, faults)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AttemptRow)) == num_jobs
        assert set(session.scalars(select(JobRow.attempt))) == {1}


def _place_and_end(database: Database, hosts: dict[str, int], faults: list[str]) -> None:
    """What one of the threads does until no job is queued: plan, place while others do, look whether it adds up, end
    what it placed."""
    while True:
        with database.reading() as session:
            plan = plan_now(session, NOW, NOW - 15)
        with database.writing() as session:
            dispatches = place_queued(session, plan, NOW, alive_since=NOW - 15, lease_s=15)
            in_use: dict[str, int] = defaultdict(int)
            for attempt in session.scalars(select(AttemptRow).where(AttemptRow.ended_at.is_(None))):
                in_use[attempt.host] += attempt.num_devices
            faults.extend(f"{host}: {used} in use" for host, used in in_use.items() if used > hosts[host])
            queued = session.scalar(select(func.count()).where(JobRow.state == "queued"))
        with database.writing() as session:
            for each in dispatches:
                session.get_one(AttemptRow, (each.message.job_id, 1)).ended_at = NOW
        if not queued:
            return


def _checkpoint(job_id: str, attempt: int, step: int, form: str) -> CheckpointRow:
    path = f"/runs/{attempt}/{step}"
    return CheckpointRow(
        job_id=job_id, attempt=attempt, path=path, step=step, format=form, size_bytes=1, created_at=NOW
    )


def test_a_job_for_ray_takes_no_devices_and_is_bound_by_no_size(database: Database) -> None:
    with database.writing() as session:
        add_host(session, NOW, num_devices=8)
        add_host(session, NOW, name="ray", num_devices=8)
        cluster = session.get_one(HostRow, "ray")
        cluster.facts = cluster.facts | {"launcher": "ray"}
        over_ray = {"hardware": {"device": "cuda", "num_devices": 64, "launcher": "ray", "num_nodes": 8}}
        for _ in range(MOST_ATTEMPTS_IN_RAY + 1):
            add_job(session, NOW, "cuda", 64, launcher="ray", resolved=resolved_json(**over_ray))
        local = add_job(session, NOW, "cuda", 8)
        hosts = {each.message.job_id: each.host for each in place(session)}
    assert hosts.pop(local.id) == "box"
    assert list(hosts.values()) == ["ray"] * MOST_ATTEMPTS_IN_RAY
