"""Registering and listing models."""

from __future__ import annotations

import time
from pathlib import Path

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.allowed_paths import resolve_below
from backend.db.database import Database
from backend.db.pages import id_cursor, page_of
from backend.db.tables.jobs import JobRow
from backend.db.tables.models import ModelRow
from backend.models import queries
from backend.models.folder import ModelFolder, inspect_folder
from tunedeck.errors import Conflict, NotFound
from tunedeck.ids import new_id
from tunedeck.settings import Settings
from tunedeck.views.models import ModelView, RegisterModel
from tunedeck.views.page import Page

_LONGEST_NAME = 80
_SUFFIX_LENGTH = 6


def register(database: Database, settings: Settings, asked: RegisterModel, now: float) -> ModelView:
    """Check the folder and store it under a name that is free. Raises ModelInvalid, PathRefused, Conflict."""
    roots = settings.allowed_model_roots()
    folder = inspect_folder(resolve_below(asked.path, settings.models_dir.resolve(), roots), roots)
    with database.writing() as session:
        return model_view(_store(session, asked.name, folder, "", now))


def register_export(session: Session, job: JobRow, path: str) -> ModelRow:
    """Register what `job` exported to `path`, as `<job name>-<end of its id>`; a second call changes nothing.

    Raises ModelInvalid where the export is not complete.
    """
    real = Path(path).resolve()
    known = queries.exported_to(session, str(real))
    if known is not None:
        return known
    return _store(session, _free_name(session, job), inspect_folder(real, (real,)), job.id, time.time())


def list_models(database: Database, cursor: str, limit: int) -> Page[ModelView]:
    with database.reading() as session:
        found = queries.newest_first(session, id_cursor(cursor), limit + 1)
    return page_of(found, limit, lambda row: row.id, model_view)


def get(database: Database, name: str) -> ModelView:
    with database.reading() as session:
        row = queries.named(session, name)
    if row is None:
        raise NotFound(f"no model is registered as {name!r}", "list the models: GET /api/v1/models")
    return model_view(row)


def model_view(row: ModelRow) -> ModelView:
    return ModelView(
        id=row.id,
        name=row.name,
        path=row.path,
        architecture=row.architecture,
        num_parameters=row.num_parameters,
        size_bytes=row.size_bytes,
        config=row.config,
        from_job=row.from_job,
        created_at=row.created_at,
    )


def _store(session: Session, name: str, folder: ModelFolder, from_job: str, now: float) -> ModelRow:
    row = ModelRow(
        id=new_id(),
        name=name,
        path=str(folder.path),
        architecture=folder.architecture,
        num_parameters=folder.num_parameters,
        size_bytes=folder.size_bytes,
        config=folder.config,
        from_job=from_job,
        created_at=now,
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as fault:
        raise Conflict(f"a model is already registered as {name!r}", "choose another name") from fault
    return row


def _free_name(session: Session, job: JobRow) -> str:
    suffix = f"-{job.id[-_SUFFIX_LENGTH:]}"
    name = job.name[: _LONGEST_NAME - len(suffix)] + suffix
    if queries.named(session, name) is None:
        return name
    return job.id
