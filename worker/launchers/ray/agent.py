"""What Ray runs on each node of an attempt: an actor that holds the leash of one `worker.launchers.node`.

The actor is where Ray counts the devices of its bundle, and its death is what Ray tells the driver of a lost node. It
trains nothing itself: Ray's own libraries stay out of the training processes, and a killed actor ends them because the
leash goes with it.
"""

from __future__ import annotations

import hashlib
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass

from ray.util import get_node_ip_address

from tunedeck import __version__
from tunedeck.run_folder import RunFolder
from worker.launchers.launch_arguments import as_arguments
from worker.launchers.launcher import Launch

WAIT_S = 0.5
_MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Introduction:
    """`spec_sha256` is "" where the node does not see the run folder."""

    address: str
    version: str
    spec_sha256: str


@dataclass(frozen=True)
class Heard:
    """What was printed since the last time; `returncode` is None while the node's processes run."""

    output: bytes
    returncode: int | None


def spec_sha256(folder: RunFolder) -> str:
    try:
        return hashlib.sha256(folder.spec.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


class NodeAgent:
    """Made into an actor by the driver. `listen` blocks, so calls come from two threads."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._address = get_node_ip_address()
        self._children: list[subprocess.Popen[bytes]] = []

    def introduce(self) -> Introduction:
        return Introduction(self._address, __version__, spec_sha256(self._launch.folder))

    def open_meeting_point(self) -> str:
        """Where all nodes meet, as HOST:PORT, until this actor ends."""
        # What torch warns of goes to Ray's log of this actor.
        store = self._start(None, "-m", "worker.launchers.meeting_point", self._address)
        assert store.stdout is not None
        meeting_point = store.stdout.readline().decode().strip()
        if not meeting_point:
            raise RuntimeError(f"no meeting point could be opened at {self._address}")
        return meeting_point

    def start(self, meeting_point: str) -> None:
        where = ("--meeting-point", meeting_point, "--address", self._address)
        command = ("-m", "worker.launchers.node", *as_arguments(self._launch), *where)
        self._node = self._start(subprocess.STDOUT, *command)

    def listen(self) -> Heard:
        """Returns as soon as there is something to hear, at the latest after WAIT_S."""
        assert self._node.stdout is not None
        output = self._node.stdout.fileno()
        if not select.select([output], [], [], WAIT_S)[0]:
            return Heard(b"", None)
        if printed := os.read(output, _MOST_BYTES):
            return Heard(printed, None)
        return Heard(b"", self._node.wait())

    def ask_to_stop(self) -> None:
        """What the worker has done to its own view of the run folder: a network file system may take a minute to show a
        new file to another host."""
        self._launch.folder.stop_request.touch()

    def have_stacks_written(self) -> None:
        self._node.send_signal(signal.SIGUSR1)

    def end(self) -> None:
        """Returns when no process of the attempt is left on this node."""
        for child in self._children:
            assert child.stdin is not None
            child.stdin.close()
        for child in self._children:
            child.wait()

    def _start(self, errors: int | None, *arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
        self._children.append(child)
        return child
