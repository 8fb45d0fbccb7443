"""Saved views. Whatever a page shows stands in its address, so a view is a name for an address and nothing more: what
is added to a page later can be saved without a change here."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.pages import SavedViewRow
from tunedeck.errors import Conflict, NotFound
from tunedeck.saved_views import SavedView, SaveView, ViewedPage
from tunedeck.views.page import Page

MAX_VIEWS = 500


def views_of(database: Database, page: ViewedPage) -> Page[SavedView]:
    """All views of a page, by name."""
    query = select(SavedViewRow).where(SavedViewRow.page == page).order_by(SavedViewRow.name)
    with database.reading() as session:
        return Page[SavedView](items=tuple(_view(row) for row in session.scalars(query)))


def save(
    database: Database, who: str, page: ViewedPage, name: str, asked: SaveView, overwrite: bool, now: float
) -> SavedView:
    """Raises Conflict where the name is taken and `overwrite` is off."""
    with database.writing() as session:
        row = session.get(SavedViewRow, (page, name))
        if row is not None and row.query != asked.query and not overwrite:
            raise Conflict(
                f"a view {name!r} is there already, saved by {row.saved_by}", "overwrite it, or choose a name"
            )
        if row is None:
            _require_room(session, page)
            row = SavedViewRow(page=page, name=name)
            session.add(row)
        row.query, row.saved_by, row.saved_at = asked.query, who, now
        return _view(row)


def delete(database: Database, page: ViewedPage, name: str) -> SavedView:
    """The view that is gone now, which can be saved again. Raises NotFound."""
    with database.writing() as session:
        row = session.get(SavedViewRow, (page, name))
        if row is None:
            raise NotFound(f"no view of {page} is called {name!r}", "GET /api/v1/views lists them")
        session.delete(row)
        return _view(row)


def _require_room(session: Session, page: ViewedPage) -> None:
    names = select(SavedViewRow.name).where(SavedViewRow.page == page)
    if len(session.scalars(names.limit(MAX_VIEWS)).all()) == MAX_VIEWS:
        raise Conflict(f"{page} has {MAX_VIEWS} views already", "delete one that nobody needs")


def _view(row: SavedViewRow) -> SavedView:
    page: ViewedPage = "compare" if row.page == "compare" else "runs"
    return SavedView(page=page, name=row.name, query=row.query, saved_by=row.saved_by, saved_at=row.saved_at)
