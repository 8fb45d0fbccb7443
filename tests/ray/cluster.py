"""Real Ray clusters: one node on this machine, or several in network namespaces with addresses of their own.

A node in a namespace also has its own process ids and host name, so that killing its first process is what pulling the
plug of a host is, and no process of one node can be reached from another.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from tests.support.waiting import wait_for
from tunedeck.up.port import free_port

ROOT = Path(__file__).resolve().parents[2]
RAY = Path(sys.executable).with_name("ray")
HEAD_PORT = 6379
OBJECT_STORE_BYTES = 80_000_000  # nothing of ours goes through it; Ray takes no less
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DISABLE_IMPORT_WARNING": "1", "PYTHONPATH": str(ROOT)}


def has_ray() -> bool:
    return importlib.util.find_spec("ray") is not None


def why_no_namespaces() -> str:
    """ "" where network namespaces can be made."""
    if missing := [name for name in ("ip", "unshare", "nsenter") if shutil.which(name) is None]:
        return f"{', '.join(missing)} cannot be found"
    made = subprocess.run(["ip", "netns", "add", _name("try")], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        return f"network namespaces cannot be made here: {made.stderr.strip()}"
    _run("ip", "netns", "delete", _name("try"))
    return ""


def _name(role: str) -> str:
    """Interfaces may have 15 characters."""
    return f"td{os.getpid() % 100_000}{role}"


def _outside(name: str) -> str:
    """The end of a node's cable that is plugged into the bridge."""
    return f"{name}v"


def _as_words(environment: Mapping[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in environment.items()]


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


class Node:
    """`ray start --block` and everything below it, started by `prefix`."""

    def __init__(self, address: str, num_cpus: int, head: str, prefix: Sequence[str]) -> None:
        self.address = address
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # Ray's sockets need a short path
        joining = ["--address", head] if head else ["--head", "--include-dashboard=false"]
        self._command = [
            *prefix,
            *(sys.executable, str(RAY), "start", "--block", *joining),
            *(f"--node-ip-address={address}", f"--num-cpus={num_cpus}", "--num-gpus=0"),
            *(f"--object-store-memory={OBJECT_STORE_BYTES}", f"--temp-dir={self.folder}"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        log = (self.folder / "start.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [*self._command, *options], stdout=log, stderr=log, env={**os.environ, **QUIET}, start_new_session=True
            )
        wait_for(lambda: "Ray runtime started" in self._log(), f"Ray at {self.address}: {self._log()}")

    @property
    def first_pid(self) -> int:
        """Of the first process inside the namespaces."""
        assert self._process is not None
        return psutil.Process(self._process.pid).children()[0].pid

    def kill(self) -> None:
        """SIGKILL for all of it at once."""
        if self._process is None or self._process.poll() is not None:
            return
        tree = psutil.Process(self._process.pid).children(recursive=True)
        for process in tree:
            try:
                process.send_signal(signal.SIGKILL)
            except psutil.NoSuchProcess:
                continue
        self._process.kill()
        self._process.wait()
        psutil.wait_procs(tree, timeout=10)

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _log(self) -> str:
        log = self.folder / "start.log"
        return log.read_text(errors="replace") if log.exists() else ""


class OneNode:
    """A cluster of this machine alone, at a port of its own."""

    def __init__(self, num_cpus: int) -> None:
        self._port = free_port("127.0.0.1", 0)
        self.address = f"127.0.0.1:{self._port}"
        self._node = Node("127.0.0.1", num_cpus, "", ())

    def __enter__(self) -> OneNode:
        others = ("ray-client-server-port", "dashboard-agent-listen-port")
        ports = [f"--{name}={free_port('127.0.0.1', 0)}" for name in others]
        self._node.start(f"--port={self._port}", *ports)
        return self

    def __exit__(self, *raised: object) -> None:
        self._node.remove()


class Cluster:
    """`num_nodes` nodes on a bridge, with addresses 10.213.7.1 and on; the first is the head."""

    def __init__(self, num_nodes: int, num_cpus: int) -> None:
        self._bridge = _name("br")
        self.head = f"10.213.7.1:{HEAD_PORT}"
        self._names = [_name(f"n{number}") for number in range(1, num_nodes + 1)]
        self.nodes = [
            Node(f"10.213.7.{number}", num_cpus, self.head if number > 1 else "", self._inside(name))
            for number, name in enumerate(self._names, 1)
        ]

    def __enter__(self) -> Cluster:
        try:
            _run("ip", "link", "add", self._bridge, "type", "bridge")
            _run("ip", "link", "set", self._bridge, "up")
            for name, node in zip(self._names, self.nodes, strict=True):
                self._connect(name, node.address)
            for node in self.nodes:
                self.start(node)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *raised: object) -> None:
        for node in self.nodes:
            node.remove()
        for name in self._names:
            # Sockets that wait for an answer keep a namespace alive for a minute, and the other end of its cable here.
            subprocess.run(["ip", "link", "delete", _outside(name)], check=False)
            subprocess.run(["ip", "netns", "delete", name], check=False)
        subprocess.run(["ip", "link", "delete", self._bridge], check=False)

    def start(self, node: Node) -> None:
        _run("ip", "-n", self._names[self.nodes.index(node)], "link", "set", "eth0", "up")
        node.start(*([f"--port={HEAD_PORT}"] if node is self.nodes[0] else []))

    def kill(self, node: Node) -> None:
        """Its power is gone, and its address with it."""
        _run("ip", "-n", self._names[self.nodes.index(node)], "link", "set", "eth0", "down")
        node.kill()

    def on(self, node: Node) -> list[str]:
        """What goes before a command to have it run on a node."""
        return ["nsenter", "--target", str(node.first_pid), "--all", f"--wd={ROOT}", "env", *_as_words(QUIET)]

    def _connect(self, name: str, address: str) -> None:
        outside = _outside(name)
        _run("ip", "netns", "add", name)
        _run("ip", "link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "link", "set", outside, "master", self._bridge, "up")
        _run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        _run("ip", "-n", name, "link", "set", "lo", "up")

    def _inside(self, name: str) -> list[str]:
        namespaces = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
        return ["ip", "netns", "exec", name, *namespaces, "sh", "-c", f'hostname {name} && exec "$@"', "sh"]
