"""What people write about a job, as REST takes it and sends it out."""

from __future__ import annotations

from pydantic import Field

from tunedeck.component import Component


class NotesView(Component):
    """What people wrote about a job. `html` is safe to show: made of the Markdown by the service, without scripts,
    styles, pictures or forms."""

    markdown: str
    html: str
    version: int = Field(description="counts the changes; 0: nobody has written anything")
    edited_at: float | None
    edited_by: str


class EditNotes(Component):
    """`version` is that of the notes that were changed: what somebody else has written since is not overwritten."""

    markdown: str = Field(max_length=50_000)
    version: int = Field(ge=0, le=2**31 - 1)
