"""Stands in for `worker.engine` while things break: twenty steps a second, real checkpoints of a quarter MiB, no torch.

It keeps the engine's promises and nothing else: its events go through the engine's own EventLog, a checkpoint appears
by one rename, `--resume-from` is obeyed, a request to stop leaves a last checkpoint, each rank beats. So whatever is
lost or doubled was lost or doubled by the service.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tunedeck.beat import BEAT_S, Beat
from tunedeck.errors import DiskFull
from tunedeck.fault import Fault, FaultScene
from tunedeck.run_folder import RunFolder
from worker.engine.event_log import EventLog
from worker.engine.publish_folder import publish_folder

STEP_S = 0.05
CHECKPOINT_BYTES = 256 << 10


def main() -> int:
    spec, folder = json.loads(Path(sys.argv[1]).read_text()), RunFolder(Path(sys.argv[2]))
    rank = int(os.environ.get("RANK", "0"))
    threading.Thread(target=_beat, args=(folder, rank), daemon=True).start()
    if rank:
        return _follow_rank_0(folder)
    with (folder.root / "control" / "starts").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
    with EventLog(folder.events) as log:
        try:
            outcome = _train(spec, folder, log)
        except (OSError, DiskFull) as error:
            full = DiskFull(f"no space left on the disk of {folder.root} ({error})", "free some space on this disk")
            log.fail(Fault.of(full, FaultScene(rank=0, step=log.last_step + 1)))
            return 1
        (folder.root / "control" / "peers-may-end").touch()
        log.end(outcome)
    return 0


def _train(spec: dict[str, Any], folder: RunFolder, log: EventLog) -> str:
    last_step, save_interval = spec["batching"]["train_iters"], spec["checkpointing"]["save_interval"]
    first_step = _resumed_step() + 1
    log.phase("training")
    log.plan(last_step, first_step, {})
    for step in range(first_step, last_step + 1):
        time.sleep(STEP_S)
        log.step(step, {"loss": 1.0 / step, "step_time_s": STEP_S})
        print(f"step {step} of {last_step}", flush=True)
        wants_end = folder.stop_request.exists()
        if wants_end or step % save_interval == 0:
            _save(folder, log, step)
        if wants_end:
            return "stopped"
    return "succeeded"


def _resumed_step() -> int:
    """The step of the checkpoint that it goes on from; 0 without one. A checkpoint that is not whole ends the run."""
    if "--resume-from" not in sys.argv:
        return 0
    folder = Path(sys.argv[sys.argv.index("--resume-from") + 1])
    state = (folder / "state").read_bytes()
    assert len(state) == CHECKPOINT_BYTES, f"{folder} is torn"
    return int(folder.name.removeprefix("iter_"))


def _save(folder: RunFolder, log: EventLog, step: int) -> None:
    target = folder.checkpoint(step)
    unfinished = target.with_name(f".{target.name}.partial")
    unfinished.mkdir(parents=True)
    (unfinished / "state").write_bytes(bytes(CHECKPOINT_BYTES))
    publish_folder(unfinished, target)
    log.checkpoint(step, str(target.relative_to(folder.root)), CHECKPOINT_BYTES, "dist_checkpointing")


def _beat(folder: RunFolder, rank: int) -> None:
    scene = FaultScene(rank=rank, doing="sleeping")
    number = 0
    with folder.beat(rank).open("wb") as file:
        while True:
            number += 1
            Beat(pid=os.getpid(), number=number, num_advances=number, is_timed=True, scene=scene).write(file.fileno())
            time.sleep(BEAT_S)


def _follow_rank_0(folder: RunFolder) -> int:
    while not (folder.root / "control" / "peers-may-end").exists():
        time.sleep(STEP_S)
    return 0


if __name__ == "__main__":
    sys.exit(main())
