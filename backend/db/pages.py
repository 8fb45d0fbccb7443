"""Keyset pages: each begins behind the key at which the one before it ended, so rows added meanwhile shift nothing.

Offsets were rejected: they read and throw away everything before the page, and show a row twice when one is added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tunedeck.errors import BadInput
from tunedeck.ids import is_id
from tunedeck.views.page import Page

R = TypeVar("R")
V = TypeVar("V")


def page_of(found: Sequence[R], limit: int, key: Callable[[R], str], view: Callable[[R], V]) -> Page[V]:
    """A page of at most `limit` rows; `found` holds one more than that where there is a next page."""
    shown = found[:limit]
    # Not Page[V]: a model cannot be built for a type variable.
    page: Page[Any] = Page[Any](
        items=tuple(view(row) for row in shown), next_cursor=key(shown[-1]) if len(found) > limit else ""
    )
    return page


def id_cursor(given: str) -> str:
    """The cursor of a list that is sorted by id; "" is its beginning. Raises BadInput at `cursor`."""
    if given and not is_id(given):
        message = f"{given!r} is not the next_cursor of a page"
        raise BadInput.at("cursor", given, message, "send the next_cursor of the page before, or nothing")
    return given
