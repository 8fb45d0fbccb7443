"""The engine, killed with signal 9 at random moments and begun again from its newest checkpoint, as a worker would.

Run by a test as a process of its own. It imports the training stack once and forks each attempt, because a start costs
more than the whole tiny training. Arguments: SPEC ROOT NUM_KILLS SEED; attempt n writes to ROOT/n, an unbroken run to
ROOT/unbroken.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.engine.tiny import events
from tunedeck.run_folder import RunFolder
from worker.engine.launch import run_attempt
from worker.engine.training.run import train

assert train  # imported here, so that no attempt has to


def main(spec: Path, root: Path, num_kills: int, seed: int) -> int:
    moments = random.Random(seed)
    if _wait_for(_begin(spec, root / "unbroken", None)):
        return 1
    for attempt in range(1, num_kills + 1):
        pid = _begin(spec, root / str(attempt), _newest_checkpoint(root))
        # A save waits for the one before it, so that after five steps that of the second can be seen: the last attempt
        # has something to go on from.
        fewest = 5 if attempt == num_kills else 1
        _kill_after(pid, root / str(attempt), moments.randint(fewest, 6), moments.uniform(0, 0.05))
    return _wait_for(_begin(spec, root / str(num_kills + 1), _newest_checkpoint(root)))


def _begin(spec: Path, folder: Path, resume_from: Path | None) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(run_attempt(spec, RunFolder(folder), resume_from))
    return pid


def _wait_for(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _kill_after(pid: int, folder: Path, num_steps: int, delay_s: float) -> None:
    """Somewhere in the step after `num_steps` of this attempt, or in what it saves then."""
    while not (folder / "events.jsonl").exists() or len(events(folder, "step")) < num_steps:
        time.sleep(0.002)
    time.sleep(delay_s)
    os.kill(pid, signal.SIGKILL)
    assert _wait_for(pid) == -signal.SIGKILL


def _newest_checkpoint(root: Path) -> Path | None:
    """Of all attempts, the complete one of the latest step, as the backend would choose it."""
    complete = [path for path in root.glob("*/checkpoints/iter_*") if path.parent.parent.name != "unbroken"]
    return max(complete, key=lambda path: path.name, default=None)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
