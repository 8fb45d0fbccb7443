"""Says how a process tree ended: from the engine's own words where it had any, else from return code and signal.

It refuses to guess from the text of engine.log, with one exception: under torchrun only the log knows which signal
ended a rank. The last lines of the log go along with every failure, so that the user can judge.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tunedeck.beat import read_beat
from tunedeck.bus import ExitReport
from tunedeck.errors import DiskFull, EngineFailed, Fenced, OutOfMemory, RankLost
from tunedeck.events import EndEvent, ErrorEvent, Event, StepEvent, event_adapter
from tunedeck.fault import Fault, FaultScene, fault_left_at
from tunedeck.out_of_memory import what_to_try
from tunedeck.run_folder import RunFolder
from worker.forwarder.log_text import shown
from worker.supervisor.supervise import Ended, Ending

NUM_TAIL_LINES = 40
_TAIL_BYTES = 64 << 10
_LITTLE_SPACE_BYTES = 1 << 20  # an engine that cannot write its last two events has less
_TORCHRUN = "torch/distributed/elastic/multiprocessing/api.py:"
_TORCHRUN_REPORT_BEGINS = re.compile(re.escape(_TORCHRUN) + r".*failed \(exitcode")
_TORCHRUN_RANK_END = re.compile(r"rank\s*:\s*(\d+) \(local_rank: \d+\)\n\s*exitcode\s*:\s*(-?\d+)")


def exit_report(folder: RunFolder, ended: Ended) -> ExitReport:
    if ended.ending is Ending.RELEASED:
        return _report(
            "fenced", ended, Fenced.code, "the worker let go of the attempt: it ended, or a newer attempt has begun"
        )
    last_lines = [shown(line) for line in _last_lines(folder.engine_log)]
    log_tail = tuple(_without_torchrun_report(last_lines)[-NUM_TAIL_LINES:])
    events = _last_events(folder.events)
    fault = _fault_told(events) or fault_left_at(folder.fault)
    end = next((event for event in reversed(events) if isinstance(event, EndEvent)), None)
    if end is not None and end.outcome != "failed":
        return _report(end.outcome, ended, "", end.why)
    told_by_launcher = fault_left_at(folder.launcher_fault)
    if told_by_launcher is not None and ended.ending is Ending.BY_ITSELF:
        return _failed(ended, told_by_launcher, log_tail)
    if ended.returncode == 0 and not events and folder.stop_request.exists():
        return _report("stopped", ended, "", "stopped before the engine was started")
    rank, number = _first_signal(ended.returncode, last_lines)
    if fault is not None and not _is_consequence(fault, rank):
        return _failed(ended, fault, log_tail)
    if ended.ending is Ending.OVERDUE:
        message = f"ended by force: the engine did not end within {ended.stop_grace_s:g} s after the request to stop"
        return _report("stopped", ended, "", message, "the newest complete checkpoint is kept")
    return _failed(ended, _unexplained(ended, number, folder.spec, _scene(folder, rank, number, events)), log_tail)


def write_exit_report(folder: RunFolder, report: ExitReport) -> None:
    """Written aside and renamed, so that a reader sees all of it or nothing. Aside is where `claim` has kept room."""
    with os.fdopen(os.open(folder.exit_space, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(report.model_dump_json().encode())
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    folder.exit_space.replace(folder.exit_report)


def _fault_told(events: list[Event]) -> Fault | None:
    error = next((event for event in reversed(events) if isinstance(event, ErrorEvent)), None)
    return None if error is None else Fault(**error.model_dump(include=set(Fault.model_fields)))


def _scene(folder: RunFolder, rank: int, number: int, events: list[Event]) -> FaultScene:
    """Where `rank` stood when signal `number` (0: none) ended it: by its last beat, which may be a second old."""
    beat = read_beat(folder.beat(rank))
    if beat is None:
        return FaultScene(rank=rank if number else None)
    step = max((event.step + 1 for event in events if isinstance(event, StepEvent)), default=0)
    return beat.scene.model_copy(update={"step": max(step, beat.scene.step or 0)})


def _unexplained(ended: Ended, number: int, spec: Path, scene: FaultScene) -> Fault:
    """The engine said nothing about its end, which signal `number` (0: none) brought about."""
    rank = scene.rank
    if number == signal.SIGKILL and ended.num_oom_kills > 0:
        message = f"rank {rank} was killed by the kernel because the machine ran out of memory"
        return Fault(code=OutOfMemory.code, message=message, mend=what_to_try(spec), scene=scene)
    if ended.num_free_bytes < _LITTLE_SPACE_BYTES:
        message = f"the engine ended when the disk of its run folder had {ended.num_free_bytes:,} bytes left"
        mend = "free some space on this disk, then start the job again"
        return Fault(code=DiskFull.code, message=message, mend=mend, scene=scene)
    mend = "the last lines of the log say what happened before"
    if number > 0:
        message = f"rank {rank} was ended by signal {number} ({signal.Signals(number).name})"
        return Fault(code=RankLost.code, message=message, mend=mend, scene=scene)
    message = f"the engine ended with return code {ended.returncode} without saying why"
    return Fault(code=EngineFailed.code, message=message, mend=mend, scene=scene)


def _without_torchrun_report(lines: list[str]) -> list[str]:
    """torchrun follows every failure with some 45 lines about itself, which would hide what the rank said last. What it
    says of ending the other ranks may stand before the traceback of one of them."""
    begin = next((index for index, line in enumerate(lines) if _TORCHRUN_REPORT_BEGINS.search(line)), len(lines))
    return [line for line in lines[:begin] if _TORCHRUN not in line]


def _first_signal(returncode: int, last_lines: list[str]) -> tuple[int, int]:
    """The rank that a signal ended, and the signal; 0 for none. torchrun itself ends with 1 and reports on every rank,
    the one that failed first ("root cause") last; the others it has ended with SIGTERM."""
    if returncode < 0:
        return 0, -returncode
    told = _TORCHRUN_RANK_END.findall("\n".join(last_lines))
    rank, exitcode = map(int, told[-1]) if told else (0, 0)
    return (rank, -exitcode) if exitcode < 0 else (0, 0)


def _is_consequence(fault: Fault, ended_rank: int) -> bool:
    """Whether rank 0 only saw its connection to `ended_rank` break. Ranks that fail otherwise leave it their reason."""
    return ended_rank > 0 and fault.code in (EngineFailed.code, RankLost.code) and fault.scene.rank in (0, None)


def _failed(ended: Ended, fault: Fault, log_tail: tuple[str, ...]) -> ExitReport:
    told = _report("failed", ended, fault.code, fault.message, fault.mend, log_tail)
    return told.model_copy(update={"scene": fault.scene})


def _report(
    outcome: Literal["succeeded", "stopped", "failed", "fenced"],
    ended: Ended,
    code: str,
    message: str,
    mend: str = "",
    log_tail: tuple[str, ...] = (),
) -> ExitReport:
    return ExitReport(
        outcome=outcome, returncode=ended.returncode, code=code, message=message, mend=mend, log_tail=log_tail
    )


def _last_events(path: Path) -> list[Event]:
    """The last complete events; the first line of the tail may be torn, and so may the last line of a killed engine."""
    found: list[Event] = []
    for line in _last_lines(path):
        try:
            found.append(event_adapter.validate_json(line))
        except ValidationError:
            continue
    return found


def _last_lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _TAIL_BYTES))
        return file.read().rstrip(b"\n").split(b"\n")
