"""Lists and finds the files below `artifacts/` of a job's run folders, and nothing beside them.

The engine's libraries write there what they like, so a path is resolved before it is compared, and links are neither
listed nor followed: Weights & Biases leaves some, and a data set's author could plant others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from backend.artifacts import queries
from backend.db.database import Database
from backend.db.known_jobs import no_such_job
from tunedeck.errors import NotFound
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings
from tunedeck.views.page import Page
from tunedeck.views.run_files import ArtifactView

MOST_FILES = 2_000


def artifacts(database: Database, settings: Settings, job_id: str) -> Page[ArtifactView]:
    """Of all attempts, the newest attempt first; at most MOST_FILES. Raises NotFound for an unknown job."""
    found: list[ArtifactView] = []
    for attempt in range(_newest_attempt(database, job_id), 0, -1):
        root = RunFolder.of(settings.data_dir, job_id, attempt).artifacts
        found += (_view(attempt, path, root) for path in sorted(_files(root)))
    return Page[ArtifactView](items=tuple(found[:MOST_FILES]))


def artifact_file(database: Database, settings: Settings, job_id: str, attempt: int, path: str) -> Path:
    """The file of an artifact as it was listed. Raises NotFound for everything else, so that nobody learns what lies
    elsewhere."""
    if 1 <= attempt <= _newest_attempt(database, job_id):
        root = RunFolder.of(settings.data_dir.resolve(), job_id, attempt).artifacts
        if file := _file_below(root, path):
            return file
    raise NotFound(f"job {job_id} has no artifact {path!r} of attempt {attempt}", "list them: .../artifacts")


def _newest_attempt(database: Database, job_id: str) -> int:
    with database.reading() as session:
        newest = queries.newest_attempt(session, job_id)
    if newest is None:
        raise no_such_job(job_id)
    return newest


def _file_below(root: Path, path: str) -> Path | None:
    """The file `path` below `root` without a link or `..` on the way, else None."""
    try:
        asked = root / path
        return asked if asked.resolve() == asked and asked.is_relative_to(root) and asked.is_file() else None
    except (ValueError, OSError, RuntimeError):  # a NUL byte; a name too long; a circle of links
        return None


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root, followlinks=False):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield path


def _view(attempt: int, path: Path, root: Path) -> ArtifactView:
    relative, status = path.relative_to(root), path.stat()
    kind = relative.parts[0] if len(relative.parts) > 1 else relative.stem
    return ArtifactView(
        attempt=attempt, kind=kind, path=str(relative), size_bytes=status.st_size, changed_at=status.st_mtime
    )
