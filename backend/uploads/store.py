"""Uploads on the disk: a folder each, with what was announced, what has arrived, and how much of it is safe.

The acknowledged length is a file of its own, replaced only after the data has been synced: after a crash the data file
may be longer than what was ever on the disk. There is no table: an upload is its folder, and one that is deleted by
hand is simply gone. Memory does not grow with a file; what is written is written as it comes.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from backend.replace_text import replace_text
from tunedeck.errors import ChecksumMismatch, Conflict, DiskFull, NotFound, TooLarge
from tunedeck.ids import is_id, new_id
from tunedeck.spec import Component
from tunedeck.views.datasets import UploadView

_BUFFER_BYTES = 1 << 20
# What must stay free for the database and the run folders beside the uploads.
_RESERVE_BYTES = 256 << 20


class Announced(Component):
    """What the client said of a file before it sent it."""

    owner: str
    file_name: str
    num_bytes: int
    last_modified_ms: int
    created_at: float


@dataclass(frozen=True)
class UploadStore:
    folder: Path
    max_bytes: int
    lifetime_s: float

    def create(self, announced: Announced) -> UploadView:
        """Raises TooLarge beyond the limit, DiskFull where it would not fit."""
        self._refuse_too_large(announced.num_bytes)
        upload = new_id()
        place = self.folder / upload
        (place / "content").mkdir(mode=0o700, parents=True)
        _data(place, announced).touch(mode=0o600)
        replace_text(place / "offset", "0")
        replace_text(place / "announced.json", announced.model_dump_json())
        return self.get(announced.owner, upload)

    def get(self, owner: str, upload: str) -> UploadView:
        """Raises NotFound where it does not exist, has run out, or belongs to somebody else."""
        found = self._read(upload)
        if found is None or found[0].owner != owner:
            message = f"there is no upload {upload!r} (any more)"
            raise NotFound(message, f"begin again; unfinished uploads are kept for {self.lifetime_s / 3600:g} hours")
        announced, offset, touched_at = found
        return UploadView(
            id=upload,
            file_name=announced.file_name,
            num_bytes=announced.num_bytes,
            offset=offset,
            last_modified_ms=announced.last_modified_ms,
            created_at=announced.created_at,
            expires_at=touched_at + self.lifetime_s,
        )

    def all(self, owner: str) -> tuple[UploadView, ...]:
        """Newest first."""
        names = sorted((path.name for path in self.folder.glob("*")), reverse=True)
        return tuple(self.get(owner, name) for name in names if (one := self._read(name)) and one[0].owner == owner)

    @contextmanager
    def appending(self, upload: UploadView, offset: int, sha256: bytes) -> Iterator[Appender]:
        """Take bytes in behind `offset`. With `sha256` they count only if they have that digest; without, whatever has
        come counts, also when the connection breaks. Raises Conflict where `offset` is not the end of what is here, or
        another request is writing."""
        with _exclusive(upload.id):
            current = self._read(upload.id)
            if current is None:
                raise NotFound(f"there is no upload {upload.id!r} (any more)", "begin again")
            announced, at, _ = current
            if offset != at:
                raise Conflict(f"the upload is at byte {at:,}, not {offset:,}", "ask with HEAD where to go on")
            appender = Appender(self.folder / upload.id, announced, offset, sha256)
            try:
                yield appender
            finally:
                appender.close()

    def file_of(self, owner: str, upload: str) -> tuple[Path, UploadView]:
        """The file of a complete upload. Raises Conflict where a part is still missing."""
        view = self.get(owner, upload)
        if view.offset != view.num_bytes:
            message = f"the upload of {view.file_name} has {view.offset:,} of {view.num_bytes:,} bytes"
            raise Conflict(message, "send the rest first")
        found = self._read(upload)
        assert found is not None
        return _data(self.folder / upload, found[0]), view

    def remove(self, owner: str, upload: str) -> None:
        self.get(owner, upload)
        with _exclusive(upload):
            shutil.rmtree(self.folder / upload)

    def purge(self, now: float) -> None:
        """Remove what nobody has added to for too long, and what is no upload."""
        for place in self.folder.glob("*"):
            found = self._read(place.name)
            touched_at = found[2] if found else place.stat().st_mtime
            if now - touched_at > self.lifetime_s and place.name not in _BUSY:
                shutil.rmtree(place, ignore_errors=True)

    def _read(self, upload: str) -> tuple[Announced, int, float] | None:
        """What was announced, how much is here, and when that last changed."""
        if not is_id(upload):
            return None
        place = self.folder / upload
        try:
            announced = Announced.model_validate_json((place / "announced.json").read_text())
            offset = int((place / "offset").read_text())
            return announced, offset, (place / "offset").stat().st_mtime
        except (FileNotFoundError, ValidationError, ValueError):
            return None  # a half-made or half-removed folder; the next purge takes it

    def _refuse_too_large(self, num_bytes: int) -> None:
        if num_bytes > self.max_bytes:
            message = f"the file has {num_bytes:,} bytes; {self.max_bytes:,} are allowed"
            raise TooLarge(message, "raise TUNEDECK_MAX_UPLOAD_BYTES, or put it below a data root and name its path")
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free - _RESERVE_BYTES
        if num_bytes > free:
            message = f"the file has {num_bytes:,} bytes; {max(0, free):,} are free for it on the server"
            raise DiskFull(message, "free some space in the data folder")


class Appender:
    """Bytes on their way behind the end of an upload. `close` makes what counts of them safe."""

    def __init__(self, place: Path, announced: Announced, offset: int, sha256: bytes) -> None:
        self._place = place
        self._start = offset
        self._limit = announced.num_bytes
        self._sha256 = sha256
        self._digest = hashlib.sha256()
        self._is_whole = False
        self._file = _data(place, announced).open("r+b", buffering=_BUFFER_BYTES)
        self._file.truncate(offset)
        self._file.seek(offset)
        self.offset = offset

    def write(self, chunk: bytes) -> None:
        """Raises TooLarge for more than was announced, OSError as the disk gives it."""
        if self.offset + len(chunk) > self._limit:
            raise TooLarge(f"more came than the {self._limit:,} bytes that were announced", "begin again")
        self._file.write(chunk)
        self.offset += len(chunk)
        if self._sha256:
            self._digest.update(chunk)

    def finish(self) -> int:
        """The new end of the upload, safe on the disk. Raises ChecksumMismatch; then nothing of it counts."""
        if self._sha256 and self._digest.digest() != self._sha256:
            message = f"bytes {self._start:,} to {self.offset:,} arrived with another SHA-256 than was sent with them"
            raise ChecksumMismatch(message, "send them again")
        self._is_whole = True
        self.close()
        return self.offset

    def close(self) -> None:
        if self._file.closed:
            return
        counts = self._is_whole or not self._sha256
        try:
            if counts:
                self._file.flush()
                os.fsync(self._file.fileno())
            else:
                self._file.truncate(self._start)
        finally:
            self._file.close()
        if counts:
            replace_text(self._place / "offset", str(self.offset))


_UNSAFE = re.compile(r"[^A-Za-z0-9._-]|^\.")


def _data(place: Path, announced: Announced) -> Path:
    """Named as the user's file, because faults name the file in which they are."""
    return place / "content" / _UNSAFE.sub("_", announced.file_name)


_BUSY: set[str] = set()
_BUSY_LOCK = threading.Lock()


@contextmanager
def _exclusive(upload: str) -> Iterator[None]:
    """One request at a time may change an upload: a client that resumes may be faster than its broken connection."""
    with _BUSY_LOCK:
        if upload in _BUSY:
            raise Conflict(f"another request is writing to upload {upload!r}", "wait a moment and ask with HEAD")
        _BUSY.add(upload)
    try:
        yield
    finally:
        with _BUSY_LOCK:
            _BUSY.discard(upload)
