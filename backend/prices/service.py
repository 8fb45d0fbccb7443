"""Reads and sets the price list. A change counts for the past as well: what is kept of a job is its hours."""

from __future__ import annotations

from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.pages import PreferenceRow
from tunedeck.prices import PriceList

_NAME = "prices"


def current(session: Session) -> PriceList:
    row = session.get(PreferenceRow, _NAME)
    return PriceList.model_validate(row.value) if row else PriceList()


def prices(database: Database) -> PriceList:
    with database.reading() as session:
        return current(session)


def set_prices(database: Database, wanted: PriceList) -> PriceList:
    with database.writing() as session:
        session.merge(PreferenceRow(name=_NAME, value=wanted.model_dump(mode="json")))
    return wanted
