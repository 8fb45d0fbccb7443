"""A part of a list, as all lists are sent."""

from __future__ import annotations

from typing import Generic, TypeVar

from tunedeck.component import Component

T = TypeVar("T")


class Page(Component, Generic[T]):
    """One page of a list, newest first. `next_cursor` is what to send as `cursor` for the next page; "" at the end."""

    items: tuple[T, ...]
    next_cursor: str = ""
