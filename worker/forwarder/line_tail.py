"""Reads complete lines of a growing file by byte offset. It keeps no place in the file: the caller says from where.

A last line without its newline is being written still and is left for later. A line longer than `max_line_bytes` is
given in part (its end, where progress bars leave their last state, if it has carriage returns; else its beginning), so
that one mad line costs no more memory than any other. Polling with fstat was preferred to inotify: it costs 20
system calls a second and also works on network file systems, where inotify hears nothing of other hosts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from tunedeck.log_lines import MOST_LINES_OF_CHUNK

MAX_BATCH_BYTES = 64 << 10


@dataclass(frozen=True)
class Lines:
    """Complete lines without their newlines, and the offset of the byte after the last one."""

    lines: tuple[bytes, ...]
    end_offset: int
    more_follow: bool = False  # bytes, not necessarily complete lines


class LineTail:
    def __init__(self, path: Path, max_line_bytes: int) -> None:
        self._path = path
        self._max_line_bytes = max_line_bytes
        self._fd = -1
        self._no_newline_before = (0, 0)  # (start of a long line, how far it was searched for its end)
        self._fruitless = (-1, -1)  # (offset, file size) that gave nothing

    def read(self, offset: int, final: bool = False) -> Lines:
        """Lines from `offset` on, none where nothing new is complete. `final`: what is there is all there will be,
        so a last line without newline counts as a line. A file that does not exist yet has no lines."""
        if self._fd < 0 and not self._open():
            return Lines((), offset)
        size = os.fstat(self._fd).st_size
        if size <= offset or (not final and self._fruitless == (offset, size)):
            return Lines((), offset)
        found = self._complete_lines(offset)
        if not found.lines:
            found = self._long_line(offset, size)
        if not found.lines and final:
            found = Lines((self._shorten(offset, size),), size)
        self._fruitless = (offset, size) if not found.lines else (-1, -1)
        return found

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> bool:
        try:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        return True

    def _complete_lines(self, offset: int) -> Lines:
        data = os.pread(self._fd, MAX_BATCH_BYTES, offset)
        *lines, rest = data.split(b"\n", MOST_LINES_OF_CHUNK)
        is_full = len(data) == MAX_BATCH_BYTES or b"\n" in rest
        return Lines(tuple(lines), offset + len(data) - len(rest), more_follow=is_full)

    def _long_line(self, offset: int, size: int) -> Lines:
        """The one line at `offset`, longer than a batch, once its newline is there."""
        start, searched = self._no_newline_before
        position = searched if start == offset else offset
        while position < size:
            data = os.pread(self._fd, MAX_BATCH_BYTES, position)
            newline = data.find(b"\n")
            if newline >= 0:
                end = position + newline
                return Lines((self._shorten(offset, end),), end + 1)
            position += len(data)
        self._no_newline_before = (offset, position)
        return Lines((), offset)

    def _shorten(self, start: int, end: int) -> bytes:
        if end - start <= self._max_line_bytes:
            return os.pread(self._fd, end - start, start)
        last_part = os.pread(self._fd, self._max_line_bytes, end - self._max_line_bytes)
        if b"\r" in last_part.rstrip(b"\r"):
            return last_part
        return os.pread(self._fd, self._max_line_bytes, start)
