"""The agents of an attempt as its driver sees them: one per bundle, followed until each has ended or is lost."""

from __future__ import annotations

import sys
import time
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, GetTimeoutError, RayActorError, RayError, RayTaskError
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from tunedeck import __version__
from tunedeck.errors import ClusterUnfit
from worker.launchers.launcher import Launch
from worker.launchers.ray.agent import Heard, Introduction, NodeAgent, spec_sha256
from worker.launchers.ray.placement import bundle_of

START_S = 120.0  # a node that has never run one of our processes reads all of Python from its disk
END_S = 14.0
LOOK_S = 0.2
MEND_UNFIT = "install tunedeck[worker,ray] in the same version on every node of the cluster"


class NodeLost(Exception):
    """Ray says that a node, or the agent on it, is gone."""


class Agents:
    """`returncodes` holds those of the nodes that have ended by themselves, by number."""

    def __init__(self, launch: Launch, group: PlacementGroup) -> None:
        self.returncodes: dict[int, int] = {}
        self.lost: dict[int, str] = {}
        self.addresses: list[str] = []
        self._launch = launch
        self._actors = [_actor(launch, group, number) for number in range(launch.num_nodes)]
        self._calls: dict[Any, int] = {}
        self._torn = [b""] * launch.num_nodes

    def start(self) -> None:
        """Start the ranks everywhere. Raises ClusterUnfit, or NodeLost."""
        found = self._of_all([actor.introduce.remote() for actor in self._actors])
        self._check(found)
        self.addresses = [introduction.address for introduction in found]
        meeting_point = self._of_all([self._actors[0].open_meeting_point.remote()])[0]
        self._of_all([actor.start.remote(meeting_point) for actor in self._actors])
        for number in range(len(self._actors)):
            self._listen_to(number)

    @property
    def num_running(self) -> int:
        return len(self._running())

    def hear(self) -> None:
        """Print what the nodes print, note which have ended and which are lost. Returns within LOOK_S or so."""
        ready, _ = ray.wait(list(self._calls), num_returns=1, timeout=LOOK_S)
        for call in ready:
            number = self._calls.pop(call)
            try:
                self._take(number, ray.get(call))
            except ActorUnavailableError:
                time.sleep(LOOK_S)  # the connection broke; whether the node did, Ray will find out
                self._listen_to(number)
            except RayError as fault:
                self.lost[number] = _reason(fault)

    def ask_to_stop(self) -> None:
        for number in self._running():
            self._actors[number].ask_to_stop.remote()

    def have_stacks_written(self) -> None:
        for number in self._running():
            self._actors[number].have_stacks_written.remote()

    def end(self) -> None:
        """End what still runs. Returns when it has ended, or END_S later; Ray then kills the actors."""
        ends = [self._actors[number].end.remote() for number in self._running()]
        if ends:
            ray.wait(ends, num_returns=len(ends), timeout=END_S)

    def _running(self) -> list[int]:
        return [n for n in range(len(self._actors)) if n not in self.returncodes and n not in self.lost]

    def _listen_to(self, number: int) -> None:
        self._calls[self._actors[number].listen.remote()] = number

    def _take(self, number: int, heard: Heard) -> None:
        """Whole lines only: those of several nodes go to one log."""
        whole, line_end, torn = (self._torn[number] + heard.output).rpartition(b"\n")
        if heard.returncode is not None:
            whole, line_end, torn = whole + line_end + torn, b"\n" if torn else b"", b""
        self._torn[number] = torn
        sys.stdout.buffer.write(whole + line_end)
        sys.stdout.buffer.flush()
        if heard.returncode is None:
            self._listen_to(number)
        else:
            self.returncodes[number] = heard.returncode

    def _of_all(self, calls: list[Any]) -> list[Any]:
        try:
            return list(ray.get(calls, timeout=START_S))
        except GetTimeoutError as fault:
            raise NodeLost(f"no answer within {START_S:.0f} s") from fault
        except RayTaskError as fault:
            raise ClusterUnfit(f"a node cannot begin: {fault.cause}", MEND_UNFIT) from fault
        except RayActorError as fault:
            if fault.actor_init_failed:
                raise ClusterUnfit(f"a node cannot begin: {_reason(fault)}", MEND_UNFIT) from fault
            raise NodeLost(_reason(fault)) from fault

    def _check(self, found: list[Introduction]) -> None:
        expected = spec_sha256(self._launch.folder)
        for node in found:
            if node.version != __version__:
                raise ClusterUnfit(
                    f"the node {node.address} has Tunedeck {node.version}, the worker {__version__}",
                    MEND_UNFIT,
                )
            if node.spec_sha256 != expected:
                raise ClusterUnfit(
                    f"the node {node.address} does not see the run folder {self._launch.folder.root}",
                    "put the data folder on a file system that every node mounts at the same path",
                )


def _reason(fault: RayError) -> str:
    """Ray's first line says only that an actor died, indented ones which; what follows says why."""
    told = [line.strip() for line in str(fault).splitlines() if line.strip() and not line.startswith("\t")]
    return (told[1:] or told)[0][:300]


def _actor(launch: Launch, group: PlacementGroup, number: int) -> Any:
    bundle = bundle_of(launch)
    return (
        ray.remote(NodeAgent)
        .options(
            num_cpus=bundle["CPU"],
            num_gpus=bundle.get("GPU", 0),
            max_restarts=0,
            max_concurrency=2,
            scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=number),
        )
        .remote(launch)
    )
