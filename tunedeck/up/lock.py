"""One `up` per data folder, by flock on `<data_dir>/up.lock`.

The kernel drops the lock with the process, however that ends, so a stale lock cannot exist. A pid file without flock
was rejected for that reason. The file itself stays: removing it would let two `up` hold two different files.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunedeck.errors import Conflict


@contextmanager
def data_dir_lock(data_dir: Path, pid: int) -> Iterator[None]:
    """Hold the folder for the duration of the block. Raise Conflict, naming the holder's pid, if it is taken."""
    path = data_dir / "up.lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _taken(path, data_dir) from None
        file.truncate(0)
        file.write(f"{pid}\n")
        file.flush()
        yield
        file.truncate(0)


def _taken(path: Path, data_dir: Path) -> Conflict:
    holder = path.read_text().strip()
    return Conflict(
        f"another `tunedeck up` (pid {holder or 'unknown'}) already serves {data_dir}",
        f"use that one, end it with `kill {holder or 'PID'}`, or choose another folder with --data-dir",
    )
