"""A whole deployment of real processes that can be killed, stopped and started one by one, ready in a few seconds.

One Valkey, one or two backends, two workers on two "hosts" that share a data folder, all on a short lease. Unlike under
`tunedeck up` nothing is started again by itself: when a dead process comes back is part of the fault. The database is
read directly, because a backend that is dead cannot be asked.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import psutil
import redis

from backend.db.database import Database
from tests.support.backend import write_dataset, write_model
from tests.support.postgres import TEMPLATE, PostgresServer
from tests.support.small_disk import SmallDisk
from tests.support.valkey import ValkeyServer
from tests.support.waiting import wait_for
from tunedeck.client import Client
from tunedeck.errors import TunedeckError
from tunedeck.settings import Settings
from tunedeck.up.port import base_url, free_port

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("one", "two")
LEASE_S = 3.0
HEARTBEAT_S = 0.3
STOP_GRACE_S = 4.0
_DISK_MIB = 256


class Member:
    """One process of the deployment, under the same name also after it was killed and started again."""

    def __init__(self, module: str, arguments: tuple[str, ...], environment: dict[str, str], log: IO[bytes]) -> None:
        self._command = (sys.executable, "-m", module, *arguments)
        self._environment = environment
        self._log = log
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, env=self._environment, cwd=ROOT, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._process.send_signal(signal.SIGCONT)


class Service:
    """`folder` must have a path of at most 80 characters: a Unix socket lies in it."""

    def __init__(
        self,
        folder: Path,
        log: IO[bytes],
        postgres: PostgresServer | None,
        database_url: str,
        database_disk: SmallDisk | None,
    ) -> None:
        self.folder = folder
        self.postgres = postgres
        self.runs_disk, self.database_disk = _small_disk(folder / "data" / "runs"), database_disk
        self._log = log
        self._clock = folder / "clock"
        self.set_clock(0)
        self.valkey = ValkeyServer(folder)
        self.valkey.start()
        self.settings = Settings(
            data_dir=folder / "data",
            redis_url=self.valkey.url,
            database_url=database_url,
            heartbeat_s=HEARTBEAT_S,
            lease_s=LEASE_S,
            stop_grace_s=STOP_GRACE_S,
        )
        self._ports = [free_port("127.0.0.1", 0)]
        self.backends = [self._backend(self._ports[0])]
        self.workers = {host: self._worker(host) for host in HOSTS}
        wait_for(self._answers, "the backend")
        self.database = Database(self.settings.resolved_database_url())
        self._register()

    def client(self) -> Client:
        """Of the newest backend."""
        return Client(base_url("127.0.0.1", self._ports[-1]), self.settings.token_file.read_text().strip())

    def bus(self) -> redis.Redis:
        return self.valkey.client()

    def submit(self, num_steps: int, num_processes: int = 1, **sections: dict[str, Any]) -> str:
        spec = {
            "name": "chaos",
            "model": "tiny",
            "dataset": "chats",
            "batching": {"train_iters": num_steps, "global_batch_size": 4},
            "checkpointing": {"save_interval": 10},
            "resources": {"num_devices": num_processes},
            **sections,
        }
        # A backend that was started again stores what the bus holds, and so ends the trial before, before it listens.
        wait_for(self._answers, "a backend that listens")
        with self.client() as client:
            return client.submit(spec).id

    def set_clock(self, ahead_s: int) -> None:
        """What the clocks of all backends and workers show, beyond the real time."""
        self._clock.write_text(f"{ahead_s:<15d}\n")

    def add_backend(self) -> Member:
        self._ports.append(free_port("127.0.0.1", 0))
        self.backends.append(self._backend(self._ports[-1]))
        wait_for(self._answers, "another backend")
        return self.backends[-1]

    def remove_backend(self, index: int) -> None:
        self.backends.pop(index).kill()
        self._ports.pop(index)

    def forget(self, job_id: str) -> None:
        """Remove its run folders, so that a long run of many jobs needs no large disk."""
        shutil.rmtree(self.settings.data_dir / "runs" / job_id)

    def processes_of(self, job_id: str) -> list[psutil.Process]:
        """Supervisors, launchers and ranks of a job, whoever their parent is."""
        return list(_processes_below(self.settings.data_dir / "runs" / job_id))

    def close(self) -> None:
        for member in (*self.backends, *self.workers.values()):
            member.kill()
        for process in _processes_below(self.settings.data_dir):  # also what a trial that failed had stopped
            with suppress(psutil.NoSuchProcess):
                process.kill()
        wait_for(lambda: not list(_processes_below(self.settings.data_dir)), "the end of all processes")
        self.valkey.stop()
        self.database.close()
        if self.runs_disk is not None:
            self.runs_disk.unmount()

    def _backend(self, port: int) -> Member:
        settings = self.settings.model_copy(update={"port": port})
        return Member("backend", (), self._environment(settings), self._log)

    def _worker(self, host: str) -> Member:
        settings = self.settings.model_copy(update={"host_name": host})
        return Member("worker", ("--engine-module", "tests.chaos.engine"), self._environment(settings), self._log)

    def _environment(self, settings: Settings) -> dict[str, str]:
        path = os.pathsep.join((str(Path(__file__).with_name("clock")), str(ROOT)))
        return {**os.environ, **settings.as_env(), "PYTHONPATH": path, "TUNEDECK_CHAOS_CLOCK": str(self._clock)}

    def _answers(self) -> bool:
        if not self.settings.token_file.exists():
            return False
        with self.client() as client:
            try:
                client.health()
            except TunedeckError:
                return False
        return True

    def _register(self) -> None:
        with self.client() as client:
            write_model(self.settings.models_dir / "tiny")
            write_dataset(self.settings.datasets_dir / "chats.jsonl")
            client.add_model("tiny", Path("tiny"))
            client.add_dataset("chats", Path("chats.jsonl"))
            wait_for(lambda: len(client.hosts()) == len(HOSTS), "both workers")


@contextmanager
def running_service(postgres: PostgresServer | None = None) -> Iterator[Service]:
    """On a new database, of `postgres` or, without one, of SQLite."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="td-")))
        log = stack.enter_context((folder / "processes.log").open("ab"))
        disk = _small_disk(folder / "database")
        if disk is not None:
            stack.callback(disk.unmount)
        url = f"sqlite:///{folder}/database/tunedeck.db"
        if postgres is not None:
            url = stack.enter_context(_database_of(postgres, disk))
        service = Service(folder, log, postgres, url, disk)
        stack.callback(service.close)
        yield service


@contextmanager
def _database_of(postgres: PostgresServer, disk: SmallDisk | None) -> Iterator[str]:
    """With its tables on `disk`; what makes the server crash when it is full, the write-ahead log, lies elsewhere."""
    if disk is None:
        with postgres.database(TEMPLATE) as url:
            yield url
        return
    disk.folder.parent.chmod(0o711)  # the server is another user
    with postgres.tablespace(disk.folder / "tables") as tablespace, postgres.database(TEMPLATE, tablespace) as url:
        yield url


def _small_disk(folder: Path) -> SmallDisk | None:
    try:
        return SmallDisk(folder, _DISK_MIB)
    except PermissionError:
        return None


def _processes_below(folder: Path) -> Iterator[psutil.Process]:
    """By command line or environment: an engine's own children may have another command line."""
    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
                continue
            told = " ".join(process.cmdline()) + "\n" + process.environ().get("TUNEDECK_RUN_DIR", "")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if f"{folder}/" in f"{told}/":
            yield process
