"""What telling a step costs the training loop: twelve metrics, as fast as possible, and one step each 20 ms.

Goals: p50 at most 20 µs and 100 µs, p99 no more than trackio's. Each tracker runs alone, in a process of its own, with
the same loop around it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.dashboard.peers import log_steps
from bench.dashboard.peers.environment import Peers
from bench.dashboard.row import Figures, Row, percentile

GOAL_TIGHT_US = 20.0
GOAL_PACED_US = 100.0
NUM_TIGHT = 3_000
NUM_PACED = 400
PATIENCE_S = 120.0


def measure(peers: Peers) -> Row:
    others = [name for name in log_steps.TRACKERS if name != "tunedeck"]
    peer = {name: _peer(name, peers) for name in others if peers.has(name)}
    ours = _timed("tunedeck", Path(sys.executable), peers.folder, dict(os.environ))
    goal = {"tight_p50_us": GOAL_TIGHT_US, "paced_p50_us": GOAL_PACED_US}
    if isinstance(trackio := peer.get("trackio"), dict):
        goal |= {name: trackio[name] for name in ("tight_p99_us", "paced_p99_us")}
    return Row("logging cost of a step with 12 metrics", ours, goal, "paced_p50_us", peer)


def _peer(name: str, peers: Peers) -> Figures | str:
    assert peers.python
    try:
        return _timed(name, peers.python, peers.folder, peers.env())
    except (subprocess.SubprocessError, ValueError) as error:
        return f"could not be measured: {error.__class__.__name__}"


def _timed(name: str, python: Path, folder: Path, env: dict[str, str]) -> dict[str, float]:
    own = folder / f"log-{name}"
    own.mkdir()
    command: list[Any] = [python, log_steps.__file__, name, own, NUM_TIGHT, NUM_PACED]
    made = subprocess.run(
        list(map(str, command)), env=env, cwd=own, capture_output=True, text=True, timeout=PATIENCE_S, check=True
    )
    taken_us = json.loads(next(line for line in made.stdout.splitlines() if line.startswith('{"tight"')))
    return {
        f"{pace}_p{share}_us": percentile(taken_us[pace], share) for pace in ("tight", "paced") for share in (50, 99)
    }
