"""Registering, finding and listing data sets. A file is read once, whole, before a version of it is stored."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.datasets import queries
from backend.datasets.checking import Checks, at_field, is_quick
from backend.datasets.sources import Source, source_of
from backend.datasets.views import dataset_view
from backend.db.database import Database
from backend.db.pages import id_cursor, page_of
from backend.db.tables.datasets import DatasetRow, DatasetVersionRow
from backend.uploads.store import UploadStore
from backend.works.work import Work
from backend.works.works import Works
from tunedeck.conversations import DatasetReport
from tunedeck.conversations.scan import require_trainable
from tunedeck.errors import BadInput, ChecksumMismatch, Conflict, DatasetInvalid, NotFound
from tunedeck.ids import new_id
from tunedeck.settings import Settings
from tunedeck.views.datasets import CheckDataset, DatasetView, RegisterDataset
from tunedeck.views.page import Page


@dataclass(frozen=True)
class Registry:
    """What checking and registering work with."""

    settings: Settings
    database: Database
    uploads: UploadStore
    works: Works
    checks: Checks

    def check(self, owner: str, asked: CheckDataset) -> DatasetReport | Work:
        """What is in a file and how it would be read; nothing is stored. Work, where that takes time."""
        _refuse_hub(self.settings, asked)
        if self._is_quick(owner, asked):
            return self._report(owner, asked, None)[1]
        return self.works.start(Work(owner, "check", self._title(owner, asked), asked.model_dump(mode="json")))

    def checked(self, work: Work) -> DatasetReport:
        """What a work of the kind `check` does."""
        return self._report(work.owner, CheckDataset.model_validate(work.request), work)[1]

    def register(self, owner: str, asked: RegisterDataset) -> DatasetView | Work:
        """A new data set, or a new version of one. Raises DatasetInvalid, PathRefused, Conflict; then nothing is stored
        and an upload is kept."""
        _refuse_hub(self.settings, asked)
        with self.database.reading() as session:
            _require_free(session, owner, asked)
        if self._is_quick(owner, asked):
            return self._register(owner, asked, None)
        return self.works.start(Work(owner, "registration", asked.name, asked.model_dump(mode="json")))

    def registered(self, work: Work) -> DatasetView:
        """What a work of the kind `registration` does."""
        return self._register(work.owner, RegisterDataset.model_validate(work.request), work)

    def _title(self, owner: str, asked: CheckDataset) -> str:
        if asked.upload:
            return self.uploads.get(owner, asked.upload).file_name
        return asked.hub.id if asked.hub else asked.path

    def _is_quick(self, owner: str, asked: CheckDataset) -> bool:
        return asked.hub is None and is_quick(source_of(asked, owner, self.settings, self.uploads, None).path)

    def _report(self, owner: str, asked: CheckDataset, work: Work | None) -> tuple[Source, DatasetReport]:
        source = source_of(asked, owner, self.settings, self.uploads, work)
        return source, self.checks.report(source, asked.reading, work)

    def _register(self, owner: str, asked: RegisterDataset, work: Work | None) -> DatasetView:
        source, report = self._report(owner, asked, work)
        _require_content(asked, report)
        try:
            require_trainable(source.path, report)
        except DatasetInvalid as fault:
            raise at_field(source, fault) from fault
        final = source.path
        try:
            with self.database.writing() as session:
                dataset = _named_or_new(session, owner, asked)
                final = source.keep(asked.name, self.settings)
                version = _version(dataset, source, final, asked, report)
                session.add(version)
            view = dataset_view(dataset, version)
        except BaseException:
            if final != source.path:
                final.rename(source.path)
            raise
        if source.kind == "upload":
            self.uploads.remove(owner, asked.upload)
        return view


def list_datasets(database: Database, owner: str, cursor: str, limit: int, trashed: bool = False) -> Page[DatasetView]:
    """The newest version of each, newest data set first."""
    with database.reading() as session:
        found = queries.newest_first(session, owner, trashed, id_cursor(cursor), limit + 1)
    return page_of(found, limit, lambda row: row[0].id, lambda row: dataset_view(*row))


def get(database: Database, owner: str, name: str, number: int | None = None) -> DatasetView:
    """A version, the newest for None; also of what lies in the trash. Raises NotFound."""
    with database.reading() as session:
        dataset = require(session, owner, name)
        return dataset_view(dataset, require_version(session, dataset, number))


def versions(database: Database, owner: str, name: str) -> Page[DatasetView]:
    """Newest first."""
    with database.reading() as session:
        dataset = require(session, owner, name)
        found = queries.versions(session, dataset.id)
    return Page[DatasetView](items=tuple(dataset_view(dataset, version) for version in found))


def require(session: Session, owner: str, name: str) -> DatasetRow:
    dataset = queries.named(session, owner, name)
    if dataset is None:
        raise NotFound(f"no data set is registered as {name!r}", "list the data sets: GET /api/v1/datasets")
    return dataset


def require_version(session: Session, dataset: DatasetRow, number: int | None) -> DatasetVersionRow:
    version = queries.version(session, dataset, number)
    if version is None:
        message = f"{dataset.name!r} has no version {number}"
        raise NotFound(message, f"its versions are 1 to {dataset.newest_version}")
    return version


def _require_free(session: Session, owner: str, asked: RegisterDataset) -> None:
    """Asked before the file is read, so that nobody waits an hour for a name that is taken."""
    dataset = queries.named(session, owner, asked.name)
    if dataset is not None and dataset.trashed_at is not None:
        message = f"the data set {asked.name!r} lies in the trash"
        raise Conflict(message, f"restore it, or delete it for good, or choose another name than {asked.name!r}")
    if dataset is not None and not asked.new_version:
        mend = "choose another name, or add it as a new version (new_version)"
        raise Conflict(f"a data set is already registered as {asked.name!r}", mend)
    if dataset is None and asked.new_version:
        message = f"no data set is registered as {asked.name!r}, so it cannot get a new version"
        raise NotFound(message, "leave new_version out")


def _require_content(asked: RegisterDataset, report: DatasetReport) -> None:
    if asked.sha256 and not hmac.compare_digest(asked.sha256, report.content_sha256):
        message = f"the file here has the SHA-256 {report.content_sha256}, not {asked.sha256}"
        raise ChecksumMismatch(message, "send the file again")


def _named_or_new(session: Session, owner: str, asked: RegisterDataset) -> DatasetRow:
    _require_free(session, owner, asked)
    dataset = queries.named(session, owner, asked.name)
    if dataset is not None:
        dataset.newest_version += 1
        return dataset
    dataset = DatasetRow(
        id=new_id(), owner=owner, name=asked.name, newest_version=1, created_at=time.time(), trashed_at=None
    )
    session.add(dataset)
    try:
        session.flush()
    except IntegrityError as fault:
        raise Conflict(f"a data set is already registered as {asked.name!r}", "choose another name") from fault
    return dataset


def _version(
    dataset: DatasetRow, source: Source, path: object, asked: RegisterDataset, report: DatasetReport
) -> DatasetVersionRow:
    return DatasetVersionRow(
        dataset_id=dataset.id,
        number=dataset.newest_version,
        source=source.kind,
        origin=source.origin,
        path=str(path),
        reading=asked.reading.model_dump(mode="json"),
        report=report.model_dump(mode="json"),
        created_at=time.time(),
    )


def _refuse_hub(settings: Settings, asked: CheckDataset) -> None:
    if asked.hub is not None and not settings.hub_enabled:
        message = f"{asked.hub.id!r} cannot be fetched: the hub is switched off here"
        raise BadInput.at("hub", asked.hub.id, message, "upload the file, or set TUNEDECK_HUB_ENABLED=true")
