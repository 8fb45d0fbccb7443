"""Where a data set comes from: a file below a data root, an upload, or the Hugging Face hub.

What comes from elsewhere becomes a file in the folder of data sets once it has been checked; a path is read where it
lies and never moved or deleted.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from backend.allowed_paths import resolve_below
from backend.uploads.store import UploadStore
from backend.works.work import Work
from tunedeck.errors import BadInput
from tunedeck.ids import new_id
from tunedeck.settings import Settings
from tunedeck.views.datasets import CheckDataset

_HUB_PROCESS = "worker.hub_download"
_KNOWN_SUFFIX = re.compile(r"(\.(jsonl?|ndjson|csv|tsv|parquet|arrow|feather))?(\.(gz|zst))?$", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """A file that can be read. `kind` is path, upload or hub; `origin` is what the user named it by, `field` where."""

    kind: str
    field: str
    origin: str
    path: Path

    def keep(self, name: str, settings: Settings) -> Path:
        """Where the file stays for good; one of ours is moved into the folder of data sets."""
        if self.kind == "path":
            return self.path
        folder = settings.datasets_dir.resolve()
        final = folder / f"{name}-{new_id()[-6:]}{known_suffix(self.path.name)}"
        self.path.rename(final)
        return final


def source_of(asked: CheckDataset, owner: str, settings: Settings, uploads: UploadStore, work: Work | None) -> Source:
    """The file that was asked for. Raises BadInput, PathRefused, NotFound, Conflict, and Unavailable where the hub
    cannot be reached. Only a source on the hub takes long and needs a `work`."""
    if asked.hub is not None:
        assert work is not None
        return _downloaded(asked, settings, work)
    if asked.upload:
        path, upload = uploads.file_of(owner, asked.upload)
        return Source("upload", "upload", upload.file_name, path)
    path = resolve_below(asked.path, settings.datasets_dir.resolve(), settings.allowed_dataset_roots())
    _refuse_our_own(asked.path, path, settings)
    return Source("path", "path", asked.path, path)


def _refuse_our_own(asked: str, path: Path, settings: Settings) -> None:
    if path.is_relative_to(settings.uploads_dir.resolve()):
        raise BadInput.at("path", asked, f"{asked!r} is a part of an upload", "name the upload instead")


def _downloaded(asked: CheckDataset, settings: Settings, work: Work) -> Source:
    """What has been fetched to be looked into is not fetched again to be added."""
    assert asked.hub is not None
    named = hashlib.sha256(asked.hub.model_dump_json().encode()).hexdigest()
    place = settings.uploads_dir.resolve() / f"hub-{named[:16]}"
    file = place / f"{asked.hub.id.replace('/', '--')}.parquet"
    if not file.exists():
        place.mkdir(parents=True, exist_ok=True)
        # Of this work alone: another may fetch the same for another reading.
        unfinished = file.with_suffix(f".{work.id}")
        request = asked.hub.model_dump() | {
            "file": str(file),
            "unfinished": str(unfinished),
            "max_bytes": settings.max_upload_bytes,
        }
        try:
            work.ask(_HUB_PROCESS, request, "rows")
        finally:
            unfinished.unlink(missing_ok=True)
    return Source("hub", "hub", asked.hub.id, file)


def known_suffix(file_name: str) -> str:
    """The end of a name that says how a file is read; "" where it says nothing, whatever else the name holds."""
    found = _KNOWN_SUFFIX.search(file_name)
    return found.group().lower() if found else ""
