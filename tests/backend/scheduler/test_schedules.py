"""Random schedules through the real scheduler code and a real SQLite, beside a model that only counts devices."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select, update

from backend.db.database import Database
from backend.db.migrate import migrate
from backend.db.tables.hosts import HostRow, SetAsideRow
from backend.db.tables.jobs import AttemptRow, JobRow
from backend.jobs.transitions import transition
from backend.scheduler.placement import place_queued, plan_now
from tests.support.jobs import add_host, add_job
from tunedeck.lifecycle import JobState

SIZES = {"gpu-1": 8, "gpu-2": 4, "gpu-3": 2}
HOSTS = st.sampled_from(sorted(SIZES))


@cache
def _migrated() -> bytes:
    """An empty database, migrated once for all examples."""
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/a.db")
        migrate(database)
        database.close()  # also writes what lies in the write-ahead log into the file
        return (Path(folder) / "a.db").read_bytes()


class Schedules(RuleBasedStateMachine):
    """`held` by job: the model's own account of host and devices. `usable` by host: less what has been set aside."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory(prefix="schedules-")
        file = Path(self._folder.name) / "a.db"
        file.write_bytes(_migrated())
        self.database = Database(f"sqlite:///{file}")
        self.now = 1_000_000.0
        self.held: dict[str, tuple[str, int]] = {}
        self.asked: dict[str, int] = {}
        self.usable = dict(SIZES)
        self.drained: set[str] = set()

    def teardown(self) -> None:
        self.database.close()
        self._folder.cleanup()

    @initialize()
    def hosts_join(self) -> None:
        with self.database.writing() as session:
            for name, num_devices in SIZES.items():
                add_host(session, self.now, name=name, num_devices=num_devices)

    @rule(
        num_devices=st.integers(1, 10),
        owner=st.sampled_from(["anna", "ben"]),
        priority=st.integers(-1, 1),
        preemptible=st.booleans(),
    )
    def submit(self, num_devices: int, owner: str, priority: int, preemptible: bool) -> None:
        with self.database.writing() as session:
            job = add_job(
                session, self.now, "cuda", num_devices, owner=owner, priority=priority, preemptible=preemptible
            )
        self.asked[job.id] = num_devices

    @rule()
    def tick(self) -> None:
        """What is placed must fit beside what the model knows to be held, on a host that takes jobs."""
        self.now += 1.0
        with self.database.writing() as session:
            session.execute(update(HostRow).values(last_seen_at=self.now))
            dispatches = place_queued(
                session, plan_now(session, self.now, self.now - 15), self.now, alive_since=self.now - 15, lease_s=15
            )
        for each in dispatches:
            job_id, num_devices = each.message.job_id, self.asked[each.message.job_id]
            assert job_id not in self.held
            assert each.host not in self.drained
            assert num_devices <= self.usable[each.host] - self._num_held(each.host)
            assert len(each.message.avoid_devices) == SIZES[each.host] - self.usable[each.host]
            self.held[job_id] = (each.host, num_devices)
        self._nothing_that_fits_is_left_without_a_reason()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        job_id = data.draw(st.sampled_from(sorted(self.held)))
        with self.database.writing() as session:
            job = session.get_one(JobRow, job_id)
            session.get_one(AttemptRow, (job_id, job.attempt)).ended_at = self.now
            transition(session, job, JobState.FAILED, "model", "it ended", self.now)
        del self.held[job_id], self.asked[job_id]

    @rule(host=HOSTS)
    def drain(self, host: str) -> None:
        self._set_drained(host, self.now)
        self.drained.add(host)

    @rule(host=HOSTS)
    def undrain(self, host: str) -> None:
        self._set_drained(host, None)
        self.drained.discard(host)

    @rule(host=HOSTS)
    def set_aside(self, host: str) -> None:
        if self.usable[host] == 0:
            return
        self.usable[host] -= 1
        with self.database.writing() as session:
            errors = {"num_ecc_errors": 1, "num_xid_errors": 0, "why": "1 uncorrected ECC error"}
            session.add(SetAsideRow(host=host, device_index=self.usable[host], set_aside_at=self.now, **errors))

    @invariant()
    def the_database_holds_what_the_model_holds(self) -> None:
        with self.database.reading() as session:
            live = select(AttemptRow).where(AttemptRow.ended_at.is_(None))
            found = {each.job_id: (each.host, each.num_devices) for each in session.scalars(live)}
        assert found == self.held

    def _nothing_that_fits_is_left_without_a_reason(self) -> None:
        """At least the first waiting job that some host could hold finds no host with room."""
        open_hosts = [host for host in SIZES if host not in self.drained]
        waiting = [job_id for job_id in self.asked if job_id not in self.held]
        able = [job_id for job_id in waiting if any(self.asked[job_id] <= self.usable[host] for host in open_hosts)]
        free = [self.usable[host] - self._num_held(host) for host in open_hosts]
        assert not able or any(all(self.asked[job_id] > left for left in free) for job_id in able)

    def _num_held(self, host: str) -> int:
        return sum(num_devices for on, num_devices in self.held.values() if on == host)

    def _set_drained(self, host: str, at: float | None) -> None:
        with self.database.writing() as session:
            session.get_one(HostRow, host).drained_at = at


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
