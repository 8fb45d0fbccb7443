"""The launcher of one host: one process directly, several under torchrun.

torchrun imports torch before it starts anything: 2.1 s and 200 MB on a laptop, for nothing where there is one rank and
so no rendezvous and no peer to end. For several ranks it ends all when one fails. They meet at files of the run folder,
because torchrun's own meeting points are ports that listen on every interface, ask for no login and unpickle what they
get. The command goes through `tether.py`, which ties it to the life of the supervisor: a killed one can end nothing.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence

import psutil

from tunedeck.run_folder import STORE_VARIABLE
from tunedeck.up import tether
from worker.launchers.engine_environment import engine_arguments, engine_environment
from worker.launchers.launcher import Launch

STACKS_WAIT_S = 0.5


def tethered(*command: str) -> list[str]:
    """`python …`, which the kernel kills when this process is gone."""
    return [sys.executable, "-S", "-E", tether.__file__, str(os.getpid()), sys.executable, *command]


def torchrun(num_nodes: int, num_ranks_per_node: int, *meeting: str) -> list[str]:
    """The options that stand between `python` and the engine's own arguments."""
    ranks = ["--nnodes", str(num_nodes), "--nproc-per-node", str(num_ranks_per_node), "--max-restarts", "0"]
    return ["-m", "worker.launchers.torchrun", "--rdzv-backend", "c10d", *meeting, *ranks]


class LocalLauncher:
    term_wait_s = 3.0

    def command(self, launch: Launch) -> list[str]:
        if launch.num_processes == 1:
            return tethered(*engine_arguments(launch))
        meeting = ("--rdzv-endpoint", str(launch.folder.launch), "--rdzv-conf", "store_type=file")
        return tethered(*torchrun(1, launch.num_processes, *meeting), *engine_arguments(launch))

    def environment(self, launch: Launch, own: Mapping[str, str]) -> dict[str, str]:
        return engine_environment(launch, own) | {STORE_VARIABLE: str(launch.folder.store)}

    def is_there(self, rank_pid: int) -> bool:
        try:
            return psutil.Process(rank_pid).status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def have_stacks_written(self, command_pid: int, rank_pids: Sequence[int]) -> None:
        for pid in rank_pids:
            try:
                os.kill(pid, signal.SIGUSR1)
            except ProcessLookupError:
                continue
        time.sleep(STACKS_WAIT_S)
