"""The whole of what a launcher is: a command that stands for an attempt's training processes, wherever they run.

The supervisor runs the command at the root of a process tree of its own host, and asks of it:

- It lives as long as the training processes do, and ends with 0 only where all of them did.
- What they print, it prints. Events, beats, checkpoints and requests to stop are files of the run folder, which every
  host of the attempt must therefore see under the same path.
- SIGTERM makes it end them all, and itself within `term_wait_s`. Where it is killed they end, too, soon after.
- While it waits for devices that another system deals out, `RunFolder.waiting` says for what.
- If it knows why an attempt fails better than the ranks can, it says so in `RunFolder.launcher_fault`.
- At SIGUSR1 it has the ranks write their stacks, if the supervisor cannot reach them.

So Slurm would be `srun` around `python -m worker.launchers.node`. Objects with start, poll and end inside the
supervisor were rejected: the client of a cluster may take its process down with it, and the supervisor must outlive
everything that it reports on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from tunedeck.run_folder import RunFolder


@dataclass(frozen=True)
class Launch:
    """What is to be started. `device_indices` are the GPUs of the attempt as its host numbers them; empty on a CPU, and
    where the launcher deals them out. `num_nodes` divides `num_processes`; `is_spread`: no two nodes on one host."""

    folder: RunFolder
    engine_module: str
    num_processes: int
    threads_per_process: int
    device: Literal["cpu", "cuda"]
    device_indices: tuple[int, ...]
    resume_from: str
    num_nodes: int = 1
    is_spread: bool = False


class Launcher(Protocol):
    term_wait_s: float

    def command(self, launch: Launch) -> list[str]: ...

    def environment(self, launch: Launch, own: Mapping[str, str]) -> dict[str, str]:
        """Of the command, chosen from that of the supervisor (`own`) rather than copied."""
        ...

    def is_there(self, rank_pid: int) -> bool:
        """Whether a rank that has told its process id is not known to be gone."""
        ...

    def have_stacks_written(self, command_pid: int, rank_pids: Sequence[int]) -> None:
        """Have every rank that can write the stacks of its threads to engine.log. Returns when they have had time."""
        ...
