"""Registering, uploading and listing data sets. A file is read once, whole, before its row is stored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.allowed_paths import resolve_below
from backend.datasets import queries
from backend.datasets.upload import Upload
from backend.db.database import Database
from backend.db.pages import id_cursor, page_of
from backend.db.tables import DatasetRow
from tunedeck.conversations import DatasetReport
from tunedeck.conversations.scan import scan
from tunedeck.errors import Conflict, DatasetInvalid, NotFound
from tunedeck.ids import new_id
from tunedeck.settings import Settings
from tunedeck.views import DatasetView, Page, RegisterDataset


def register(database: Database, settings: Settings, asked: RegisterDataset, now: float) -> DatasetView:
    """Read the file and store it under a name that is free. Raises DatasetInvalid, PathRefused, Conflict."""
    path = resolve_below(asked.path, settings.datasets_dir.resolve(), settings.allowed_dataset_roots())
    report = scan(path)
    with database.writing() as session:
        return dataset_view(_store(session, asked.name, path, report, now))


def add_upload(database: Database, settings: Settings, upload: Upload, now: float) -> DatasetView:
    """Take over an uploaded file: renamed into place only when it is good, gone again when its row is not stored."""
    with _faults_at_file(upload):
        report = scan(upload.path)
    final = settings.datasets_dir.resolve() / f"{upload.name}-{new_id()[-6:]}{upload.suffix}"
    try:
        with database.writing() as session:
            row = _store(session, upload.name, final, report, now)
            upload.path.rename(final)
        return dataset_view(row)
    except BaseException:
        final.unlink(missing_ok=True)
        raise


def list_datasets(database: Database, cursor: str, limit: int) -> Page[DatasetView]:
    with database.reading() as session:
        found = queries.newest_first(session, id_cursor(cursor), limit + 1)
    return page_of(found, limit, lambda row: row.id, dataset_view)


def get(database: Database, name: str) -> DatasetView:
    with database.reading() as session:
        row = queries.named(session, name)
    if row is None:
        raise NotFound(f"no data set is registered as {name!r}", "list the data sets: GET /api/v1/datasets")
    return dataset_view(row)


def dataset_view(row: DatasetRow) -> DatasetView:
    return DatasetView.model_validate(
        {name: getattr(row, name) for name in DatasetView.model_fields} | {"sample": tuple(row.sample)}
    )


def _store(session: Session, name: str, path: Path, report: DatasetReport, now: float) -> DatasetRow:
    row = DatasetRow(
        id=new_id(),
        name=name,
        path=str(path),
        shape=report.shape,
        num_rows=report.num_rows,
        num_trainable_rows=report.num_trainable_rows,
        size_bytes=report.size_bytes,
        content_sha256=report.content_sha256,
        sample=[_sendable(turn) for turn in report.sample],
        created_at=now,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as fault:
        raise Conflict(f"a data set is already registered as {name!r}", "choose another name") from fault
    return row


def _sendable(value: Any) -> Any:
    """Half a surrogate pair is valid in JSON but cannot be sent as UTF-8: it is shown as a question mark."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_sendable(key): _sendable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sendable(item) for item in value]
    return value


@contextmanager
def _faults_at_file(upload: Upload) -> Iterator[None]:
    """Faults of the content belong to the field `file` of the form; the user never named our path."""
    try:
        yield
    except DatasetInvalid as fault:
        problems = tuple(replace(problem, field="file", value=upload.file_name) for problem in fault.problems)
        raise DatasetInvalid(fault.message, fault.mend, problems) from fault
