"""One attempt of a job, from the spec on disk to the exit code: the frame around the training.

Everything that can go wrong ends here, as an error event and an end event of rank 0 and as a traceback in engine.log.
The training stack is imported only after the arguments have been checked, so that a mistake is told at once.
"""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from tunedeck.errors import OutOfMemory, Problem, SpecInvalid, TunedeckError
from tunedeck.fault import Fault, FaultScene, fault_left_at
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import TOKEN_CACHE_VARIABLE, RunFolder
from worker.engine.attempt import Attempt
from worker.engine.event_log import EventLog
from worker.engine.faults import classify, print_memory_summary
from worker.engine.process import die_with_launcher, on_sigterm
from worker.engine.rank_prefix import prefix_lines_with_rank
from worker.engine.whereabouts import Whereabouts


def run_attempt(spec_path: Path, folder: RunFolder, resume_from: Path | None) -> int:
    """Train as the spec says. Returns the exit code: 0 for an end that was wanted, 1 for a fault."""
    die_with_launcher()
    prefix_lines_with_rank()
    # They tell developers of these libraries what to change; in engine.log they would bury what a user must read.
    warnings.filterwarnings("ignore", module=r"megatron|torch|worker\.engine\.platform\.cuda_on_cpu")
    rank = int(os.environ.get("RANK", "0"))
    folder.stop_request.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _event_log(folder, rank) as log:
            return _run(spec_path, folder, resume_from, log, rank)
    except TunedeckError as error:  # no events can be written: the folder is taken, or the disk is full
        print(f"{error.message}\n{error.mend}", file=sys.stderr)
        return 1


@contextlib.contextmanager
def _event_log(folder: RunFolder, rank: int) -> Iterator[EventLog | None]:
    if rank != 0:
        yield None
        return
    with EventLog(folder.events) as log:
        on_sigterm(lambda: _tell_fault_of_others(log, folder))
        yield log


def _run(spec_path: Path, folder: RunFolder, resume_from: Path | None, log: EventLog | None, rank: int) -> int:
    whereabouts = Whereabouts(rank)
    try:
        spec = read_spec(spec_path)
        _keep_spec(spec_path, folder, rank)
        from worker.engine.training.run import train

        outcome = train(Attempt(spec, folder, resume_from, log, whereabouts, _token_cache()))
    except Exception as error:
        scene = whereabouts.scene()
        traceback.print_exc()
        _end_failed(error, scene, folder, log)
        return 1
    if log:
        log.end(outcome)
        print(f"{outcome} after step {log.last_step}", flush=True)
    return 0


def _token_cache() -> Path | None:
    path = os.environ.get(TOKEN_CACHE_VARIABLE, "")
    return Path(path) if path else None


def read_spec(path: Path) -> ResolvedSpec:
    """The ResolvedSpec of a JSON file. Raises SpecInvalid naming every field at fault."""
    try:
        return ResolvedSpec.model_validate_json(path.read_bytes())
    except OSError as error:
        raise SpecInvalid.at("", str(path), f"{path} cannot be read: {error.strerror}", "give a spec.json") from error
    except ValidationError as error:
        problems = tuple(
            Problem(".".join(map(str, fault["loc"])), fault["input"], fault["msg"], "see tunedeck/resolved.py")
            for fault in error.errors()
        )
        listed = "; ".join(f"{problem.field}: {problem.message}" for problem in problems)
        raise SpecInvalid(f"{path} is not a resolved spec: {listed}", "write it with resolve()", problems) from error


def _keep_spec(spec_path: Path, folder: RunFolder, rank: int) -> None:
    """A run without the service leaves its spec beside its events, too."""
    if rank == 0 and not folder.spec.exists():
        folder.spec.write_bytes(spec_path.read_bytes())


def _end_failed(error: Exception, scene: FaultScene, folder: RunFolder, log: EventLog | None) -> None:
    classified = classify(error, folder)
    fault = Fault.of(classified, scene)
    if isinstance(classified, OutOfMemory):
        print_memory_summary()
    if log is None:
        fault.leave_at(folder.fault)
        return
    # A broken connection on rank 0 is only the consequence of what another rank has reported.
    told = None if isinstance(error, TunedeckError) else fault_left_at(folder.fault)
    log.fail(told or fault)


def _tell_fault_of_others(log: EventLog, folder: RunFolder) -> None:
    """This rank is ended because of another one, or of them all: say why."""
    if fault := fault_left_at(folder.fault):
        log.fail(fault)
