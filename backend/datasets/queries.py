"""SQL of data sets."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import DatasetRow


def named(session: Session, name: str) -> DatasetRow | None:
    return session.scalar(select(DatasetRow).where(DatasetRow.name == name))


def newest_first(session: Session, before: str, limit: int) -> Sequence[DatasetRow]:
    query = select(DatasetRow).order_by(DatasetRow.id.desc()).limit(limit)
    return session.scalars(query.where(DatasetRow.id < before) if before else query).all()
