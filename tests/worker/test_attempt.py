"""An attempt from its message to its end: claims, cancelling, fencing, the end of the worker."""

from __future__ import annotations

import signal

from tests.support.valkey import ValkeyServer
from tests.worker.backend_stand_in import BackendStandIn
from tests.worker.orders import FOR_EVER, order
from tests.worker.worker_process import WorkerProcess
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings


def test_every_event_and_line_arrives_in_order_before_the_end(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("plain", 300)
    backend.begin(job)
    backend.read_until(lambda: backend.ends(job))
    assert [event["seq"] for event in backend.events(job)] == list(range(1, 303))
    assert list(backend.log_lines(job).values()) == [f"step {step} of 300" for step in range(1, 301)]
    assert backend.messages.index(backend.ends(job)[0]) > max(
        index for index, message in enumerate(backend.messages) if message.kind in ("events", "log")
    )
    assert backend.ends(job)[0].report.outcome == "succeeded"
    backend.read_until(lambda: backend.hellos()[-1].attempts == ())


def test_a_doubled_message_starts_one_engine(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("plain", 200)
    backend.write_control(job)
    for _ in range(6):
        backend.send(job)
    backend.read_until(lambda: backend.ends(job))
    backend.send(job)
    later = order("plain", 5, job_id="job2")
    backend.begin(later)
    backend.read_until(lambda: backend.ends(later))
    assert worker.running(f"/{job.job_id}/") == []
    assert len(backend.ends(job)) == 1
    assert [event["seq"] for event in backend.events(job)] == list(range(1, 203))


def test_a_message_of_a_replaced_attempt_starts_nothing(
    worker: WorkerProcess, backend: BackendStandIn, settings: Settings
) -> None:
    late, later = order("plain", 5), order("plain", 5, job_id="job2")
    backend.write_control(late, attempt=2)
    backend.send(late)
    backend.begin(later)
    backend.read_until(lambda: backend.ends(later))
    assert not RunFolder.of(settings.data_dir, late.job_id, late.attempt).spec.exists()
    assert backend.ends(late) == []


def test_cancel_writes_a_checkpoint_before_the_end(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("plain", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    backend.write_control(job, desired="stop")
    backend.read_until(lambda: backend.ends(job))
    assert [event["kind"] for event in backend.events(job)][-2:] == ["checkpoint", "end"]
    assert backend.ends(job)[0].report.outcome == "stopped"


def test_an_engine_that_does_not_heed_a_cancel_is_killed_after_the_grace(
    worker: WorkerProcess, backend: BackendStandIn
) -> None:
    job = order("stubborn", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    backend.write_control(job, desired="stop")
    backend.read_until(lambda: backend.ends(job))
    report = backend.ends(job)[0].report
    assert (report.outcome, report.returncode) == ("stopped", -signal.SIGKILL)
    assert "within 1 s" in report.message
    assert worker.engines() == []


def test_an_attempt_that_shall_end_at_once_is_not_waited_for(
    worker: WorkerProcess, backend: BackendStandIn, settings: Settings
) -> None:
    job = order("stubborn", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    backend.write_control(job, desired="end")
    backend.read_until(lambda: backend.ends(job))
    report = backend.ends(job)[0].report
    assert (report.outcome, report.message) == ("stopped", "ended without a last checkpoint, as asked")
    assert not RunFolder.of(settings.data_dir, job.job_id, job.attempt).stop_request.exists()
    assert worker.engines() == []


def test_a_replaced_attempt_is_ended_and_publishes_nothing_more(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("plain", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    backend.write_control(job, attempt=2)
    backend.read()
    num_messages = len(backend.of(job))
    backend.read_until(lambda: not worker.engines() and not worker.running("worker.supervisor"))
    backend.read_until(lambda: backend.hellos()[-1].attempts == ())
    assert len(backend.of(job)) == num_messages


def test_a_worker_that_slept_through_its_lease_publishes_nothing_when_it_wakes(
    worker: WorkerProcess, backend: BackendStandIn
) -> None:
    job = order("plain", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    worker.process.send_signal(signal.SIGSTOP)
    backend.write_control(job, attempt=2)
    backend.read()
    num_messages = len(backend.of(job))
    worker.process.send_signal(signal.SIGCONT)
    backend.read_until(lambda: not worker.engines() and not worker.running("worker.supervisor"))
    backend.read_until(lambda: backend.hellos()[-1].attempts == ())
    assert len(backend.of(job)) == num_messages


def test_a_worker_that_is_told_to_end_gives_its_attempt_back_with_a_checkpoint(
    worker: WorkerProcess, backend: BackendStandIn
) -> None:
    job = order("plain", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(10) == 0
    backend.read()
    assert "checkpoint" in [event["kind"] for event in backend.events(job)]
    assert [end.report.outcome for end in backend.ends(job)] == ["fenced"]
    assert worker.running("") == []


def test_a_worker_ends_when_told_although_the_bus_is_away(
    worker: WorkerProcess, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    job = order("plain", FOR_EVER)
    backend.begin(job)
    backend.read_until(lambda: backend.events(job))
    valkey.kill(lose_data=False)
    worker.process.send_signal(signal.SIGTERM)
    worker.process.wait(15)
    assert worker.running("") == []
