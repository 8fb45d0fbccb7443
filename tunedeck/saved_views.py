"""Names for ways to look at a page, as REST takes them and sends them out."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tunedeck.component import Component

ViewedPage = Literal["runs", "compare"]
# Names are parts of addresses, where a "/" ends one.
VIEW_NAME_PATTERN = r"^[^\s/]([^/\n]{0,78}[^\s/])?$"
ViewName = Annotated[str, Field(pattern=VIEW_NAME_PATTERN, description='up to 80 characters, none of them a "/"')]


class SaveView(Component):
    """`query` is the address of the page behind its "?": filters, chosen runs, how the charts are looked at."""

    query: str = Field(max_length=8000, pattern=r"^[^\s?#]*$")


class SavedView(SaveView):
    page: ViewedPage
    name: str
    saved_by: str
    saved_at: float
