"""The specs of jobs as they are searched (backend/jobs/spec_index.py)."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class SpecValueRow(Base):
    """A field of a section of specs. Jobs whose sections are equal in every field share it: `section` is its SHA-256.

    `text` is what is searched for as text; `number` is set where the value is one.
    """

    __tablename__ = "spec_values"
    section: Mapped[str] = mapped_column(String(32), primary_key=True)
    path: Mapped[str] = mapped_column(String(120), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    number: Mapped[float | None]
    __table_args__ = (Index("ix_spec_values_path_number", "path", "number"),)


class JobSectionRow(Base):
    """Which sections the spec of a job is made of, and which `part` of it each is: optimizer, precision …, or ""."""

    __tablename__ = "job_sections"
    part: Mapped[str] = mapped_column(String(40), primary_key=True)
    section: Mapped[str] = mapped_column(String(32), primary_key=True)
    job_id: Mapped[str] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True, index=True)
