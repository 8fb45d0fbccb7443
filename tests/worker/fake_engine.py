"""Stands in for `worker.engine`: the same command line, events, log and stop file, but no training and no torch.

What it does is chosen by the name of the spec: `plain`, `stubborn` (ignores the request to stop and SIGTERM), `crash`
(prints, then dies without a word), `error` (says why it ends), `killed` (by a signal of its own), `torn` (leaves half
a line of log), `family` (has a child in a session of its own that ignores SIGTERM), `environment` (prints its own),
`stopped` (beats once and never again), `together` (every rank ends when it is asked to), `peer_killed` (rank 1 is
killed, and rank 0 says what it saw of that when torchrun ends it).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tunedeck.beat import Beat
from tunedeck.fault import FaultScene
from tunedeck.run_folder import RunFolder
from worker.engine.process import die_with_launcher

STEP_S = 0.005


class Voice:
    """events.jsonl, one line an event."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._seq = 0

    def say(self, kind: str, **fields: Any) -> None:
        self._seq += 1
        self._file.write(json.dumps({"seq": self._seq, "t": time.time(), "kind": kind, **fields}) + "\n")


def main() -> int:
    die_with_launcher()
    spec = json.loads(Path(sys.argv[1]).read_text())
    folder = RunFolder(Path(sys.argv[2]))
    behaviour, num_steps = spec["name"], spec["batching"]["train_iters"]
    if os.environ.get("RANK", "0") != "0":
        _be_a_peer(behaviour, folder)
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if behaviour == "peer_killed":
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    if behaviour == "family":
        _start_stubborn_child()
    if behaviour == "stopped":
        _beat_once(folder)
    if behaviour == "environment":
        print("\n".join(f"{name}={value}" for name, value in os.environ.items()), flush=True)
    voice = Voice(folder.events)
    voice.say("phase", phase="training")
    for step in range(1, num_steps + 1):
        voice.say("step", step=step, metrics={"loss": 1.0 / step})
        print(f"step {step} of {num_steps}", flush=True)
        if folder.stop_request.exists() and behaviour != "stubborn":
            voice.say(
                "checkpoint", step=step, path="checkpoints/iter_0000001", size_bytes=1, format="dist_checkpointing"
            )
            voice.say("end", outcome="stopped", step=step)
            return 0
        time.sleep(STEP_S)
    return _end(behaviour, voice, num_steps)


def _be_a_peer(behaviour: str, folder: RunFolder) -> None:
    if behaviour == "together":
        print(f"rank {os.environ['RANK']} of {os.environ['WORLD_SIZE']} has begun", flush=True)
        while not folder.stop_request.exists():
            time.sleep(STEP_S)
        sys.exit(0)
    if behaviour == "peer_killed":
        while not folder.events.exists():
            time.sleep(STEP_S)
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(3600)


def _end(behaviour: str, voice: Voice, num_steps: int) -> int:
    if behaviour == "crash":
        print("Traceback: something went wrong", flush=True)
        return 7
    if behaviour == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "error":
        voice.say("error", code="loss_not_finite", message="the loss is NaN at step 3", mend="lower optimizer.lr")
        voice.say("end", outcome="failed", step=num_steps)
        return 1
    if behaviour == "peer_killed":
        signal.sigwait({signal.SIGTERM})
        print("RuntimeError: connection reset by peer", flush=True)
        voice.say("error", code="engine_failed", message="RuntimeError: connection reset by peer", mend="")
        voice.say("end", outcome="failed", step=num_steps)
        return 1
    if behaviour == "torn":
        sys.stdout.write("a last word without newline")
    voice.say("end", outcome="succeeded", step=num_steps)
    return 0


def _beat_once(folder: RunFolder) -> None:
    with folder.beat(0).open("wb") as file:
        scene = FaultScene(rank=0, step=1, doing="optimizer", memory_bytes=1 << 30)
        Beat(pid=os.getpid(), number=1, num_advances=1, is_timed=True, scene=scene).write(file.fileno())
    signal.signal(signal.SIGUSR1, lambda number, frame: print("the stacks of all threads", flush=True))


def _start_stubborn_child() -> None:
    program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(3600)"
    subprocess.Popen([sys.executable, "-c", program], start_new_session=True)


if __name__ == "__main__":
    sys.exit(main())
