"""The bytes of a file behind its compression, with an end to what a few bytes may grow into.

gzip comes from the standard library, zstd from pyarrow: Python has its own from 3.14 on.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Final

import pyarrow as pa

from tunedeck.conversations.faults import file_fault
from tunedeck.conversations.report import Compression
from tunedeck.errors import DatasetInvalid

CHUNK_BYTES: Final = 1 << 20
_MAGIC: Final[dict[bytes, Compression]] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
# Text compresses 3 to 20 times; what is more than this and large is a bomb, or no conversations.
_MOST_RATIO: Final = 200
_HARMLESS_BYTES: Final = 256 << 20


def compression_of(path: Path) -> Compression:
    with path.open("rb") as file:
        head = file.read(4)
    return next((found for magic, found in _MAGIC.items() if head.startswith(magic)), "none")


class ByteStream(io.RawIOBase):
    """Reads a file, decompressed. Raises DatasetInvalid where it is damaged or a bomb, never for the end."""

    def __init__(self, path: Path, compression: Compression) -> None:
        self._path = path
        self._num_bytes = 0
        self._stored: Any = pa.OSFile(str(path)) if compression == "zstd" else path.open("rb", buffering=0)
        self._file: Any = _decompressed(self._stored, compression)
        self._size_bytes = path.stat().st_size

    @property
    def share(self) -> float:
        """How much of the file has been read, from 0 to 1."""
        return float(self._stored.tell() / max(self._size_bytes, 1))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        read = self.read(len(buffer))
        buffer[: len(read)] = read
        return len(read)

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """At most `size` bytes, b"" at the end."""
        try:
            read: bytes = self._file.read(size)
        except (zlib.error, gzip.BadGzipFile, EOFError, pa.ArrowInvalid) as error:
            raise self._damaged(str(error)) from error
        except OSError as error:
            if error.errno is None:  # pyarrow's way to say that the compressed data is damaged
                raise self._damaged(str(error)) from error
            raise
        self._num_bytes += len(read)
        if self._num_bytes > _HARMLESS_BYTES:
            self._refuse_a_bomb(self._stored.tell())
        return read

    def close(self) -> None:
        self._file.close()
        self._stored.close()
        super().close()

    def _refuse_a_bomb(self, num_stored_bytes: int) -> None:
        """By what has been read so far: the bytes behind it would be hours of work."""
        if self._num_bytes > _MOST_RATIO * num_stored_bytes:
            what = f"{num_stored_bytes:,} bytes grow into {self._num_bytes:,}: no text compresses like that"
            raise file_fault(self._path, "", what, "give the file uncompressed, if it is what you mean to train on")

    def _damaged(self, why: str) -> DatasetInvalid:
        what = f"the compressed data is damaged near byte {self._num_bytes:,} of the text: {why}"
        return file_fault(self._path, "", what, "compress or copy the file again")


def _decompressed(stored: Any, compression: Compression) -> BinaryIO | pa.NativeFile:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=stored, mode="rb")
    if compression == "zstd":
        return pa.CompressedInputStream(stored, "zstd")
    return stored
