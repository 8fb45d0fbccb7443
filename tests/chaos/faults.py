"""Everything that is done to the service, one line a fault."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from signal import SIGCONT, SIGKILL, SIGSTOP

import psutil

from tests.chaos.engine import CHECKPOINT_BYTES
from tests.chaos.service import LEASE_S, STOP_GRACE_S, Member, Service
from tests.chaos.trial import Fault, Trial
from tests.support.postgres import PostgresServer
from tests.support.valkey import ValkeyServer
from tunedeck.actions import Cancel
from tunedeck.beat import read_beat
from tunedeck.bus import EVENTS_STREAM, control_key, message_adapter
from tunedeck.lifecycle import JobState
from tunedeck.settings import Settings

HOUR_S = 3600
OVER_A_LEASE_S = LEASE_S + 2.0
# The launcher names the rank and the job fails, or is tried again: either way it ends once.
_ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED})
_CANCELLED = frozenset({JobState.CANCELLED})
_HANGS_AFTER_3_S = {"parallelism": {"distributed_timeout_minutes": 0.05}}

Act = Callable[[Trial], None]


def _send(find: Callable[[Trial], int], number: signal.Signals) -> Act:
    def act(trial: Trial) -> None:
        os.kill(find(trial), number)

    return act


def _supervisor(trial: Trial) -> int:
    return _pid_with(trial, "worker.supervisor")


def _torchrun(trial: Trial) -> int:
    return _pid_with(trial, "worker.launchers.torchrun")


def _pid_with(trial: Trial, text: str) -> int:
    """The outermost process of the job whose command has `text` in it."""
    found = [process for process in trial.service.processes_of(trial.job_id) if text in " ".join(process.cmdline())]
    return min(found, key=psutil.Process.create_time).pid


def _rank(number: int) -> Callable[[Trial], int]:
    def find(trial: Trial) -> int:
        beat = read_beat(trial.folder.beat(number))
        assert beat is not None
        return beat.pid

    return find


def _on_worker(act: Callable[[Member], None]) -> Act:
    return lambda trial: act(trial.worker)


def _on_backend(act: Callable[[Member], None]) -> Act:
    """The oldest one, which leads."""
    return lambda trial: act(trial.service.backends[0])


def _on_valkey(act: Callable[[ValkeyServer], None]) -> Act:
    return lambda trial: act(trial.service.valkey)


def _clock(ahead_s: int) -> Act:
    return lambda trial: trial.service.set_clock(ahead_s)


def _set_back_and_kill(trial: Trial) -> None:
    """Its lease, and the time at which it was last seen, now lie an hour ahead."""
    trial.service.set_clock(-HOUR_S)
    trial.worker.kill()


def _set_right_and_start(trial: Trial) -> None:
    trial.service.set_clock(0)
    trial.worker.start()


def _double_messages(trial: Trial) -> None:
    """The wake-up, for every host, and whatever the workers say within a second, all of it three times."""
    for host in trial.service.workers:
        for _ in range(3):
            trial.send_wake_up(host)
    trial.service.backends[0].stop()
    time.sleep(1.0)
    bus = trial.service.bus()
    for _, fields in bus.xrange(EVENTS_STREAM) * 2:
        bus.xadd(EVENTS_STREAM, fields)
    trial.service.backends[0].go_on()


def _lose_messages(trial: Trial) -> None:
    """What may be lost without the bus forgetting its place: signs of life and what the backend wants."""
    trial.service.backends[0].stop()
    time.sleep(1.0)
    bus = trial.service.bus()
    bus.delete(control_key(trial.job_id))
    for entry, fields in bus.xrange(EVENTS_STREAM):
        if message_adapter.validate_json(fields["m"]).kind in ("hello", "heartbeat"):
            bus.xdel(EVENTS_STREAM, entry)
    trial.service.backends[0].go_on()


def _tear_last_line(trial: Trial) -> None:
    """As a machine that loses its power in the middle of a write, which is also the end of the rank."""
    os.kill(_rank(0)(trial), SIGSTOP)
    with trial.folder.events.open("ab") as file:
        file.write(b'{"kind":"step","seq":')
    os.kill(_rank(0)(trial), SIGKILL)


def _lose_wake_up(trial: Trial) -> None:
    """A worker takes the message of an attempt from the bus and dies before it has claimed the attempt."""
    worker = trial.other_worker
    worker.stop()
    trial.look_at_another_job()
    time.sleep(0.5)
    worker.kill()
    worker.start()


def _remove_old_leader(trial: Trial) -> None:
    trial.service.remove_backend(0)


def _wake_old_leader(trial: Trial) -> None:
    """It must find out that another leads; then it may go."""
    trial.service.backends[0].go_on()
    time.sleep(2.0)
    trial.service.remove_backend(0)


def _start_valkey_and_kill_supervisor(trial: Trial) -> None:
    """The next attempt needs a message to a worker that had lost its connection for long."""
    trial.service.valkey.start()
    time.sleep(1.0)
    os.kill(_supervisor(trial), SIGKILL)


def _has_postgres(service: Service) -> bool:
    return service.postgres is not None


def _on_postgres(act: Callable[[PostgresServer], None]) -> Act:
    def on_it(trial: Trial) -> None:
        assert trial.service.postgres is not None
        act(trial.service.postgres)

    return on_it


def _has_small_disk_for_runs(service: Service) -> bool:
    return service.runs_disk is not None


def _has_small_disk_for_database(service: Service) -> bool:
    return service.database_disk is not None


def _fill_runs(num_free_bytes: int) -> Act:
    def act(trial: Trial) -> None:
        assert trial.service.runs_disk is not None
        trial.service.runs_disk.fill(num_free_bytes)

    return act


def _free_runs(trial: Trial) -> None:
    assert trial.service.runs_disk is not None
    trial.service.runs_disk.free()


def _fill_database(trial: Trial) -> None:
    assert trial.service.database_disk is not None
    trial.service.database_disk.fill()


def _free_database(trial: Trial) -> None:
    assert trial.service.database_disk is not None
    trial.service.database_disk.free()


def _cancel(trial: Trial) -> None:
    with trial.service.client() as client:
        client.cancel(trial.job_id)


def _cancel_at_once(trial: Trial) -> None:
    with trial.service.client() as client:
        client.act(trial.job_id, Cancel(checkpoint=False))


def _stop_until_killed(trial: Trial) -> None:
    """A rank that neither hears a request to stop nor SIGTERM."""
    os.kill(_rank(0)(trial), SIGSTOP)
    _cancel(trial)


def _under_stopped_supervisor(cancel: Act) -> Act:
    def act(trial: Trial) -> None:
        os.kill(_supervisor(trial), SIGSTOP)
        cancel(trial)

    return act


_spared = partial(Fault, spares_engine=True)
_beside_another = partial(_spared, outlived=True, prepare=Service.add_backend)
_on_postgresql = partial(_spared, lasts_s=2.0, needs=_has_postgres)
# 60 s, of which those are taken away by which an engine has less time here for its last checkpoint than usual.
_CANCEL_GOAL_S = 60.0 - (Settings.model_fields["stop_grace_s"].default - STOP_GRACE_S)
_cancelled = partial(Fault, ends=_CANCELLED, goal_s=_CANCEL_GOAL_S)
_on_full_disk = partial(Fault, heal=_free_runs, outlived=True, ends=_ENDED, needs=_has_small_disk_for_runs)

DEATHS = (
    Fault("kill -9 worker", _on_worker(Member.kill), _on_worker(Member.start)),
    Fault("kill -9 worker, for good", _on_worker(Member.kill), _on_worker(Member.start), outlived=True),
    Fault("kill -9 supervisor", _send(_supervisor, SIGKILL)),
    Fault("kill -9 torchrun", _send(_torchrun, SIGKILL), num_processes=2, ends=_ENDED),
    Fault("kill -9 one rank", _send(_rank(1), SIGKILL), num_processes=2, ends=_ENDED),
    _spared("kill -9 backend", _on_backend(Member.kill), _on_backend(Member.start)),
    _spared("kill -9 Valkey", _on_valkey(ValkeyServer.die), _on_valkey(ValkeyServer.start), lasts_s=2.0),
    _spared("Valkey loses all data", _on_valkey(ValkeyServer.lose_all), _on_valkey(ValkeyServer.start), lasts_s=1.0),
)
STOPS = (
    Fault("SIGSTOP worker", _on_worker(Member.stop), _on_worker(Member.go_on), outlived=True),
    _spared("SIGSTOP worker, briefly", _on_worker(Member.stop), _on_worker(Member.go_on), lasts_s=LEASE_S / 2),
    _spared("SIGSTOP supervisor", _send(_supervisor, SIGSTOP), _send(_supervisor, SIGCONT), lasts_s=OVER_A_LEASE_S),
    _spared("SIGSTOP torchrun", _send(_torchrun, SIGSTOP), _send(_torchrun, SIGCONT), OVER_A_LEASE_S, num_processes=2),
    Fault("SIGSTOP one rank", _send(_rank(1), SIGSTOP), num_processes=2, spec=_HANGS_AFTER_3_S, ends=_ENDED),
    _spared("SIGSTOP backend", _on_backend(Member.stop), _on_backend(Member.go_on), lasts_s=OVER_A_LEASE_S),
    _spared("SIGSTOP Valkey", _on_valkey(ValkeyServer.freeze), _on_valkey(ValkeyServer.go_on), lasts_s=OVER_A_LEASE_S),
)
BACKENDS = (
    _beside_another("kill -9 leading backend of two", _on_backend(Member.kill), _remove_old_leader),
    _beside_another("SIGSTOP leading backend of two", _on_backend(Member.stop), _wake_old_leader),
)
POSTGRES = (
    _on_postgresql("PostgreSQL restarted", _on_postgres(PostgresServer.stop), _on_postgres(PostgresServer.start)),
    _on_postgresql("PostgreSQL crashes", _on_postgres(PostgresServer.kill), _on_postgres(PostgresServer.start)),
)
# On a tmpfs of their own; left out where this user may not mount one.
DISKS = (
    _on_full_disk("disk full for events", _fill_runs(0)),
    _on_full_disk("disk full for checkpoint", _fill_runs(CHECKPOINT_BYTES // 2)),
    _spared(
        "disk full for database",
        _fill_database,
        _free_database,
        lasts_s=OVER_A_LEASE_S,
        needs=_has_small_disk_for_database,
    ),
)
OTHERS = (
    _spared("clock jumps an hour ahead", _clock(HOUR_S), _clock(0), lasts_s=OVER_A_LEASE_S),
    _spared("clock jumps an hour back", _clock(-HOUR_S), _clock(0), lasts_s=OVER_A_LEASE_S),
    Fault("clock jumps an hour back, then kill -9 worker", _set_back_and_kill, _set_right_and_start, outlived=True),
    _spared("messages are doubled", _double_messages),
    _spared("messages are lost", _lose_messages),
    Fault("wake-up is lost with its worker", _lose_wake_up),
    Fault(
        "Valkey away for 20 s, then kill -9 supervisor",
        _on_valkey(ValkeyServer.die),
        _start_valkey_and_kill_supervisor,
        lasts_s=20.0,
    ),
    Fault("torn last line", _tear_last_line, ends=_ENDED),
    _cancelled("cancel, with a last checkpoint", _cancel),
    _cancelled("cancel of a rank that does not answer", _stop_until_killed),
    _cancelled("cancel under a stopped supervisor", _under_stopped_supervisor(_cancel)),
    _cancelled("cancel, without a last checkpoint", _cancel_at_once, goal_s=10.0),
    _cancelled(
        "cancel without a last checkpoint, under a stopped supervisor",
        _under_stopped_supervisor(_cancel_at_once),
        goal_s=10.0,
    ),
)
FAULTS = {fault.name: fault for fault in (*DEATHS, *STOPS, *BACKENDS, *POSTGRES, *DISKS, *OTHERS)}
