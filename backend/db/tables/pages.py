"""What people set up for their pages."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class SavedViewRow(Base):
    """A way to look at a page that somebody named for all: the page's address without its path."""

    __tablename__ = "saved_views"
    page: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    query: Mapped[str] = mapped_column(Text)
    saved_by: Mapped[str] = mapped_column(String(80))
    saved_at: Mapped[float]


class PreferenceRow(Base):
    """What is set on the settings page, by name; a name that is missing has its default."""

    __tablename__ = "preferences"
    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[dict[str, Any]] = mapped_column(JSON)
