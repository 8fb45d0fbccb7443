"""Everything that is done to the service, one line a fault."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from functools import partial
from signal import SIGCONT, SIGKILL, SIGSTOP

import psutil

from tests.chaos.service import LEASE_S, Member
from tests.chaos.trial import Fault, Trial
from tests.support.valkey import ValkeyServer
from tunedeck.beat import read_beat
from tunedeck.bus import EVENTS_STREAM, control_key, message_adapter
from tunedeck.lifecycle import JobState

HOUR_S = 3600
OVER_A_LEASE_S = LEASE_S + 2.0
# The launcher names the rank and the job fails, or is tried again: either way it ends once.
_ENDED = frozenset({JobState.SUCCEEDED, JobState.FAILED})
_CANCELLED = frozenset({JobState.CANCELLED})
_spared = partial(Fault, spares_engine=True)
_HANGS_AFTER_3_S = {"parallelism": {"distributed_timeout_minutes": 0.05}}

Act = Callable[[Trial], None]


def _send(find: Callable[[Trial], int], number: signal.Signals) -> Act:
    def act(trial: Trial) -> None:
        os.kill(find(trial), number)

    return act


def _supervisor(trial: Trial) -> int:
    return _pid_with(trial, "worker.supervisor")


def _torchrun(trial: Trial) -> int:
    return _pid_with(trial, "torch.distributed.run")


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


def _cancel(trial: Trial) -> None:
    with trial.service.client() as client:
        client.cancel(trial.job_id)


def _stop_until_killed(trial: Trial) -> None:
    """A rank that neither hears a request to stop nor SIGTERM."""
    os.kill(_rank(0)(trial), SIGSTOP)
    _cancel(trial)


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
OTHERS = (
    _spared("clock jumps an hour ahead", _clock(HOUR_S), _clock(0), lasts_s=OVER_A_LEASE_S),
    _spared("clock jumps an hour back", _clock(-HOUR_S), _clock(0), lasts_s=OVER_A_LEASE_S),
    _spared("messages are doubled", _double_messages),
    _spared("messages are lost", _lose_messages),
    Fault("torn last line", _tear_last_line, ends=_ENDED),
    Fault("cancel, with a last checkpoint", _cancel, ends=_CANCELLED),
    Fault("cancel of a rank that does not answer", _stop_until_killed, ends=_CANCELLED),
)
FAULTS = {fault.name: fault for fault in (*DEATHS, *STOPS, *OTHERS)}
