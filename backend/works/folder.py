"""The works on the disk, a JSON file each: a restart of the backend loses none.

A table of works was rejected: what a work reads (uploads, files being fetched) lies in the data folder of one host, so
that another backend on the same database could not go on with it.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from backend.replace_text import replace_text
from backend.works.work import KeptWork, Work

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorkFolder:
    path: Path

    def put(self, work: Work) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_text(self._file(work.id), work.kept().model_dump_json())

    def remove(self, work_id: str) -> None:
        self._file(work_id).unlink(missing_ok=True)

    def works(self) -> tuple[Work, ...]:
        """Oldest first. What cannot be read (a disk that was full, another version) is said and removed."""
        found = [each for file in self.path.glob("*.json") if (each := _read(file))]
        return tuple(sorted(found, key=lambda work: work.created_at))

    def _file(self, work_id: str) -> Path:
        return self.path / f"{work_id}.json"


def _read(file: Path) -> Work | None:
    try:
        return Work.of(KeptWork.model_validate_json(file.read_text()))
    except (ValidationError, UnicodeDecodeError) as fault:
        log.warning("the work kept in %s is forgotten, because it cannot be read: %s", file, fault)
        file.unlink()
        return None
