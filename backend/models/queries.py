"""SQL of models."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables.models import ModelRow


def named(session: Session, name: str) -> ModelRow | None:
    return session.scalar(select(ModelRow).where(ModelRow.name == name))


def exported_to(session: Session, path: str) -> ModelRow | None:
    """The model that a job exported to `path`."""
    return session.scalar(select(ModelRow).where(ModelRow.path == path, ModelRow.from_job != ""))


def newest_first(session: Session, before: str, limit: int) -> Sequence[ModelRow]:
    query = select(ModelRow).order_by(ModelRow.id.desc()).limit(limit)
    return session.scalars(query.where(ModelRow.id < before) if before else query).all()
