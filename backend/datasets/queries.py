"""SQL of data sets and their versions."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import Select, and_, or_, select
from sqlalchemy.orm import Session

from backend.db.tables.datasets import DatasetRow, DatasetVersionRow
from backend.db.tables.jobs import JobRow
from tunedeck.lifecycle import FINAL

Found = tuple[DatasetRow, DatasetVersionRow]


def named(session: Session, owner: str, name: str) -> DatasetRow | None:
    """Also one that lies in the trash: its name is kept for it."""
    return session.scalar(select(DatasetRow).where(DatasetRow.owner == owner, DatasetRow.name == name))


def version(session: Session, dataset: DatasetRow, number: int | None) -> DatasetVersionRow | None:
    """None asks for the newest."""
    return session.get(DatasetVersionRow, (dataset.id, dataset.newest_version if number is None else number))


def newest_first(session: Session, owner: str, is_trashed: bool, before: str, limit: int) -> Sequence[Found]:
    """Each data set with its newest version."""
    state = DatasetRow.trashed_at.is_not(None) if is_trashed else DatasetRow.trashed_at.is_(None)
    query = _with_newest_version().where(DatasetRow.owner == owner, state).order_by(DatasetRow.id.desc()).limit(limit)
    return [
        (found, newest) for found, newest in session.execute(query.where(DatasetRow.id < before) if before else query)
    ]


def versions(session: Session, dataset_id: str) -> Sequence[DatasetVersionRow]:
    """Newest first."""
    query = select(DatasetVersionRow).where(DatasetVersionRow.dataset_id == dataset_id)
    return session.scalars(query.order_by(DatasetVersionRow.number.desc())).all()


def paths_of_others(session: Session, dataset_id: str, paths: Collection[str]) -> set[str]:
    """Those of `paths` that a version of another data set reads."""
    others = and_(DatasetVersionRow.dataset_id != dataset_id, DatasetVersionRow.path.in_(paths))
    return set(session.scalars(select(DatasetVersionRow.path).where(others)))


def trashed_before(session: Session, border: float) -> Sequence[DatasetRow]:
    return session.scalars(select(DatasetRow).where(DatasetRow.trashed_at < border)).all()


def jobs_in_need(session: Session, dataset_id: str) -> Sequence[JobRow]:
    """Jobs that have not ended and train or validate on the data set, oldest first."""
    ended = [state.value for state in FINAL]
    needs = or_(JobRow.dataset_id == dataset_id, JobRow.validation_dataset_id == dataset_id)
    query = select(JobRow).where(needs, JobRow.state.not_in(ended))
    return session.scalars(query.order_by(JobRow.id)).all()


def _with_newest_version() -> Select[DatasetRow, DatasetVersionRow]:
    newest = and_(DatasetVersionRow.dataset_id == DatasetRow.id, DatasetVersionRow.number == DatasetRow.newest_version)
    return select(DatasetRow, DatasetVersionRow).join(DatasetVersionRow, newest)
