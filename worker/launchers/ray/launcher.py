"""What the supervisor knows of Ray: the command of the driver."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence

from worker.launchers.engine_environment import inherited
from worker.launchers.launch_arguments import as_arguments
from worker.launchers.launcher import Launch
from worker.launchers.local import tethered
from worker.supervisor.strays import RUN_DIR_VARIABLE

STACKS_WAIT_S = 3.0


class RayLauncher:
    # Each node first asks its ranks to end, then kills them; the driver waits for the slowest.
    term_wait_s = 15.0

    def __init__(self, address: str) -> None:
        self._address = address

    def command(self, launch: Launch) -> list[str]:
        return tethered("-m", "worker.launchers.ray.driver", *as_arguments(launch), "--address", self._address)

    def environment(self, launch: Launch, own: Mapping[str, str]) -> dict[str, str]:
        """Of the driver: it trains nothing, but must know how to reach the cluster."""
        of_ray = {name: value for name, value in own.items() if name.startswith("RAY_")}
        return inherited(own) | of_ray | {RUN_DIR_VARIABLE: str(launch.folder.root), "PYTHONUNBUFFERED": "1"}

    def is_there(self, rank_pid: int) -> bool:
        """The process id is one of another host. Ray, not the watchdog, tells that a rank is gone."""
        return True

    def have_stacks_written(self, command_pid: int, rank_pids: Sequence[int]) -> None:
        os.kill(command_pid, signal.SIGUSR1)
        time.sleep(STACKS_WAIT_S)
