"""`python -m worker.launchers.ray.driver`: stands on the worker's host for the processes of an attempt on all nodes.

It waits in Ray's queue, starts one agent on each node and passes on what they print, until all have ended. When a node
is lost it says so, ends the others, and leaves it to the queue to try again: a new placement then takes the nodes that
are left, or waits. Restarting only what was lost was rejected: all ranks must go back to the same checkpoint anyway.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType

import ray

from tunedeck.errors import ClusterUnfit, HostLost, TunedeckError
from tunedeck.fault import Fault, FaultScene
from tunedeck.run_folder import RunFolder
from worker.launchers.launch_arguments import add_arguments, launch_of
from worker.launchers.launcher import Launch
from worker.launchers.ray.agents import Agents, NodeLost
from worker.launchers.ray.placement import wait_for_placement

PHASE = "in Ray's queue"
# After the first node has ended badly: until then another may turn out to be lost, which is why it ended.
SETTLE_S = 10.0
MEND = "Ray's logs on the node say more; a new attempt goes on from the last checkpoint"
ENDED_BY_SIGNAL = 128 + signal.SIGTERM


class Requests:
    """What the supervisor asks for by signals, and the worker by a file."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self.is_ended = False
        self.are_stacks_wanted = False
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.signal(signal.SIGUSR1, self._on_sigusr1)

    def is_stop_wanted(self) -> bool:
        return self._folder.stop_request.exists()

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        self.is_ended = True

    def _on_sigusr1(self, number: int, frame: FrameType | None) -> None:
        self.are_stacks_wanted = True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m worker.launchers.ray.driver", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--address", default="auto", help="of the cluster's head")
    arguments = parser.parse_args()
    launch = launch_of(arguments)
    # Said beforehand and taken back at the end: Ray ends a process that has lost its cluster before it can say a word.
    _leave(launch.folder, HostLost(f"the Ray cluster {arguments.address} was lost", MEND))
    try:
        ray.init(address=arguments.address, namespace="tunedeck", log_to_driver=False, logging_level="WARNING")
    except (ConnectionError, RuntimeError) as fault:
        return _give_up(launch.folder, HostLost(f"the Ray cluster {arguments.address} does not answer: {fault}", MEND))
    requests = Requests(launch.folder)  # after ray.init, which takes SIGTERM for itself
    try:
        returncode = _run(launch, requests)
    except (ClusterUnfit, HostLost) as fault:
        return _give_up(launch.folder, fault)
    except NodeLost as fault:
        return _give_up(launch.folder, HostLost(f"a node was lost while the attempt began: {fault}", MEND))
    finally:
        ray.shutdown()
    launch.folder.launcher_fault.unlink()
    return returncode


def _run(launch: Launch, requests: Requests) -> int:
    launch.folder.waiting.write_text(PHASE)
    try:
        group = wait_for_placement(launch, _say, lambda: requests.is_ended or requests.is_stop_wanted())
    finally:
        launch.folder.waiting.unlink()
    if group is None:
        return ENDED_BY_SIGNAL if requests.is_ended else 0
    agents = Agents(launch, group)
    try:
        agents.start()
        _say(f"runs on {', '.join(agents.addresses)}")
        _follow(agents, requests)
    finally:
        agents.end()
    return _outcome(agents, requests)


def _follow(agents: Agents, requests: Requests) -> None:
    """Until all nodes have ended, or one is lost, or the supervisor wants the end."""
    is_stop_passed_on, settled_at = False, float("inf")
    while agents.num_running and not agents.lost and not requests.is_ended and time.monotonic() < settled_at:
        agents.hear()
        if requests.is_stop_wanted() and not is_stop_passed_on:
            agents.ask_to_stop()
            is_stop_passed_on = True
        if requests.are_stacks_wanted:
            agents.have_stacks_written()
            requests.are_stacks_wanted = False
        if any(agents.returncodes.values()):
            settled_at = min(settled_at, time.monotonic() + SETTLE_S)


def _outcome(agents: Agents, requests: Requests) -> int:
    """Raises HostLost."""
    if agents.lost:
        number, reason = next(iter(agents.lost.items()))
        raise HostLost(f"the node {agents.addresses[number]} was lost: {reason}", MEND)
    if requests.is_ended:
        return ENDED_BY_SIGNAL
    has_all = len(agents.returncodes) == len(agents.addresses)
    return max(agents.returncodes.values()) if has_all else 1


def _give_up(folder: RunFolder, error: TunedeckError) -> int:
    _say(error.message)
    folder.launcher_fault.unlink()
    _leave(folder, error)
    return 1


def _leave(folder: RunFolder, error: TunedeckError) -> None:
    Fault.of(error, FaultScene()).leave_at(folder.launcher_fault)


def _say(text: str) -> None:
    print(f"ray: {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
