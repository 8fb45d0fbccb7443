"""`python -m worker.launchers.node RUN_DIR …`: the ranks of one of several hosts, under a torchrun agent.

A program of its own on each host, because it must be the subreaper of these ranks alone. Standard input is its leash,
as the supervisor's is: where it ends, whoever started it is gone, and the ranks are ended. At SIGUSR1 the ranks write
their stacks.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from types import FrameType

import psutil

from tunedeck.run_folder import STORE_ADDRESS_VARIABLE
from worker.launchers.engine_environment import engine_arguments, engine_environment
from worker.launchers.launch_arguments import add_arguments, launch_of
from worker.launchers.launcher import Launch
from worker.launchers.local import LocalLauncher, tethered, torchrun
from worker.supervisor.process_tree import ProcessTree, adopt_orphans
from worker.supervisor.released import Released

POLL_S = 0.1


def main() -> int:
    arguments = _parser().parse_args()
    launch = launch_of(arguments)
    adopt_orphans()
    released = Released()
    tree = ProcessTree.start(_command(launch, arguments), _environment(launch, arguments), None)
    signal.signal(signal.SIGUSR1, lambda number, frame: _pass_on(number, frame, tree.root_pid))
    while tree.root_returncode() is None and not released.wait(POLL_S):
        continue
    tree.end(LocalLauncher.term_wait_s)
    returncode = tree.root_returncode()
    return 0 if returncode == 0 else 1


def _command(launch: Launch, arguments: argparse.Namespace) -> list[str]:
    meeting = (
        *("--rdzv-endpoint", arguments.meeting_point),
        *("--rdzv-conf", "is_host=0"),
        *("--rdzv-id", launch.folder.root.name),
        *("--local-addr", arguments.address),
    )
    num_ranks = launch.num_processes // launch.num_nodes
    return tethered(*torchrun(launch.num_nodes, num_ranks, *meeting), *engine_arguments(launch))


def _environment(launch: Launch, arguments: argparse.Namespace) -> dict[str, str]:
    """gloo and NCCL would else choose the interface that the host's name leads to, which may not reach the others."""
    chosen = engine_environment(launch, os.environ) | {STORE_ADDRESS_VARIABLE: arguments.meeting_point}
    if interface := _interface_of(arguments.address):
        chosen = {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface} | chosen
    return chosen


def _interface_of(address: str) -> str:
    """ "" where no interface has the address, as behind a container's network translation."""
    interfaces = psutil.net_if_addrs().items()
    return next((name for name, found in interfaces if any(each.address == address for each in found)), "")


def _pass_on(number: int, frame: FrameType | None, root_pid: int) -> None:
    for process in psutil.Process(root_pid).children():
        if "LOCAL_RANK" in process.environ():
            process.send_signal(number)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.launchers.node", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--meeting-point", required=True, help="HOST:PORT of worker.launchers.meeting_point")
    parser.add_argument("--address", required=True, help="by which the other hosts reach this one")
    return parser


if __name__ == "__main__":
    sys.exit(main())
