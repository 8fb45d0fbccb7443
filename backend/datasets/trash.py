"""Deleting data sets: into a trash for some days, back from it, and for good.

What a job that has not ended trains on stays. A job that has ended keeps the name, version and content hash of its
data, not the data.
"""

from __future__ import annotations

import logging
from pathlib import Path

from sqlalchemy.orm import Session

from backend.datasets import queries, service
from backend.datasets.views import dataset_view
from backend.db.database import Database
from backend.db.tables.datasets import DatasetRow
from tunedeck.errors import Conflict, DatasetInUse
from tunedeck.views.datasets import DatasetView

log = logging.getLogger(__name__)
_MOST_NAMED = 10


def trash(database: Database, owner: str, name: str, now: float) -> DatasetView:
    """Into the trash. Idempotent. Raises NotFound, and DatasetInUse with the jobs named."""
    with database.writing() as session:
        dataset = service.require(session, owner, name)
        _refuse_in_use(session, dataset)
        dataset.trashed_at = dataset.trashed_at or now
        return dataset_view(dataset, service.require_version(session, dataset, None))


def restore(database: Database, owner: str, name: str) -> DatasetView:
    """Back from the trash. Idempotent. Raises NotFound once it is gone for good."""
    with database.writing() as session:
        dataset = service.require(session, owner, name)
        dataset.trashed_at = None
        return dataset_view(dataset, service.require_version(session, dataset, None))


def delete_for_good(database: Database, owner: str, name: str) -> DatasetView:
    """Only out of the trash. Raises Conflict elsewhere."""
    with database.writing() as session:
        dataset = service.require(session, owner, name)
        if dataset.trashed_at is None:
            raise Conflict(f"{name!r} does not lie in the trash", "delete it first; it can be restored for some days")
        _refuse_in_use(session, dataset)
        view = dataset_view(dataset, service.require_version(session, dataset, None))
        files = _own_files(session, dataset)
        session.delete(dataset)
    _remove(files)
    return view


def purge(database: Database, border: float) -> None:
    """Delete what was put into the trash before `border`."""
    with database.reading() as session:
        ripe = [(dataset.owner, dataset.name) for dataset in queries.trashed_before(session, border)]
    for owner, name in ripe:
        delete_for_good(database, owner, name)
        log.info("the data set %s has been in the trash long enough and is deleted", name)


def _refuse_in_use(session: Session, dataset: DatasetRow) -> None:
    jobs = queries.jobs_in_need(session, dataset.id)
    if not jobs:
        return
    named = ", ".join(f"{job.name} ({job.id}, {job.state})" for job in jobs[:_MOST_NAMED])
    more = f" and {len(jobs) - _MOST_NAMED} more" if len(jobs) > _MOST_NAMED else ""
    message = f"the data set {dataset.name!r} is in use by {named}{more}"
    raise DatasetInUse(message, "cancel these jobs, or wait for their end")


def _own_files(session: Session, dataset: DatasetRow) -> list[Path]:
    """Files that came as an upload or from the hub, and that no other data set has: a file that was registered where it
    lies belongs to somebody else."""
    ours = {each.path for each in queries.versions(session, dataset.id) if each.source != "path"}
    return [Path(path) for path in ours - queries.paths_of_others(session, dataset.id, ours)]


def _remove(files: list[Path]) -> None:
    for file in files:
        try:
            file.unlink(missing_ok=True)
        except OSError as fault:
            log.error("%s of a deleted data set cannot be removed: %s", file, fault.strerror)
