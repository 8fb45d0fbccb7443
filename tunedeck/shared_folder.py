"""How a worker on another host knows that it sees the data folder of the service, and not one that looks like it.

Run folders, checkpoints, models and data sets are files that backend and workers both read, under absolute paths that
jobs carry with them. So every host must see the service's data folder, and the roots, at the same paths: by NFS, Lustre
or the like. Copying files from host to host was rejected: a checkpoint has many gigabytes, and a job must be able to go
on from it on any host. Another mount point was rejected too: every path of every job would have to be rewritten.
"""

from __future__ import annotations

import os
from pathlib import Path

from tunedeck import __version__
from tunedeck.bus import ServiceRecord
from tunedeck.errors import Unavailable
from tunedeck.ids import new_id
from tunedeck.settings import Settings

ID_FILE = "service-id"


def record_of(settings: Settings) -> ServiceRecord:
    """What the backend says of itself. Marks its data folder with an id that is made once."""
    roots = {root.resolve() for root in (*settings.model_roots, *settings.dataset_roots)}
    return ServiceRecord(
        service_id=_made_id(settings.data_dir),
        version=__version__,
        data_dir=str(settings.data_dir.resolve()),
        roots=tuple(sorted(map(str, roots))),
    )


def require_here(record: ServiceRecord) -> Path:
    """The data folder of the service, as this host sees it. Raises Unavailable where it is missing or another one."""
    data_dir = Path(record.data_dir)
    try:
        found = (data_dir / ID_FILE).read_text().strip()
    except OSError as fault:
        message = f"the data folder of the service, {data_dir}, is not on this host: {fault.strerror}"
        raise Unavailable(message, f"mount it at {data_dir}, the same path as on the service's host") from None
    if found != record.service_id:
        message = f"{data_dir} on this host is another folder than {data_dir} of the service"
        raise Unavailable(message, "mount the service's folder at that path; a copy of it will not do")
    missing = [root for root in record.roots if not Path(root).is_dir()]
    if missing:
        message = f"models and data sets are also read from {', '.join(missing)}, which this host lacks"
        raise Unavailable(message, "mount the same folders at the same paths")
    if not os.access(data_dir, os.W_OK | os.X_OK):
        message = f"the data folder of the service, {data_dir}, cannot be written to by user {os.getuid()}"
        raise Unavailable(message, "start the worker as the user that the service runs as")
    return data_dir


def _made_id(data_dir: Path) -> str:
    file = data_dir / ID_FILE
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not file.exists():
        unfinished = data_dir / f".{ID_FILE}.{os.getpid()}"
        unfinished.write_text(f"{new_id()}\n")
        try:
            os.link(unfinished, file)  # fails where another backend was quicker; then its id holds
        except FileExistsError:
            pass
        finally:
            unfinished.unlink()
    return file.read_text().strip()
