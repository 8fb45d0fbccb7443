"""A file system of a few MiB of its own, which a test can fill. Mounting one needs root; others are told so."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path


class SmallDisk:
    """A tmpfs at `folder`, which is made. Raises PermissionError where this user may not mount."""

    def __init__(self, folder: Path, size_mib: int) -> None:
        self.folder = folder
        self._filler = folder / ".filler"
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "tmpfs", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise PermissionError(f"mounting a file system needs more rights than this user has: {done.stderr}")

    def fill(self, num_free_bytes: int = 0) -> None:
        """Until no more than `num_free_bytes` are left, or not even those, because others write too."""
        with self._filler.open("ab", buffering=0) as file, suppress(OSError):
            while (left := self._num_free_bytes() - num_free_bytes) > 0:
                file.write(bytes(min(left, 1 << 20)))

    def free(self) -> None:
        self._filler.unlink(missing_ok=True)

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)

    def _num_free_bytes(self) -> int:
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize
