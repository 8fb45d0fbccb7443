"""What a data set holds, found by reading it once: the facts that are stored when it is registered.

`scan` reads every row, so that a fault in the last one is reported at registration and not hours later on a GPU.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tunedeck.component import Component
from tunedeck.conversations.conversation import Conversation
from tunedeck.conversations.reading import Shape
from tunedeck.conversations.rows import fault
from tunedeck.conversations.shapes import read_conversations

_NUM_SAMPLES = 5
_MAX_SAMPLE_CHARS = 4000


class DatasetReport(Component):
    """`num_trainable_rows` counts rows with at least one non-empty assistant turn that is learned."""

    shape: Shape
    num_rows: int
    num_trainable_rows: int
    size_bytes: int
    content_sha256: str
    sample: tuple[dict[str, Any], ...]


def scan(path: Path) -> DatasetReport:
    """Read the whole file. Raises DatasetInvalid at the first bad row, for no rows, and for nothing to learn."""
    num_rows = num_trainable_rows = 0
    shape: Shape | None = None
    sample: list[dict[str, Any]] = []
    for shape, conversation in read_conversations(path):  # noqa: B007 - the last value is used below
        num_rows += 1
        num_trainable_rows += conversation.is_trainable
        if num_rows <= _NUM_SAMPLES:
            sample.append(_as_sample(conversation))
    if shape is None:
        raise fault(path, "", "holds no rows", "give at least one conversation")
    if num_trainable_rows == 0:
        what = f"none of its {num_rows} rows has an assistant turn to learn from"
        raise fault(path, "", what, "give at least one row a non-empty assistant turn")
    return DatasetReport(
        shape=shape,
        num_rows=num_rows,
        num_trainable_rows=num_trainable_rows,
        size_bytes=path.stat().st_size,
        content_sha256=content_sha256(path),
        sample=tuple(sample),
    )


def content_sha256(path: Path) -> str:
    """The hexadecimal SHA-256 of the file's bytes, by which a run knows that its data did not change."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_sample(conversation: Conversation) -> dict[str, Any]:
    """A row as the data page shows it; very long turns are cut."""
    return {
        "messages": [
            {"role": message.role, "content": _cut(message.content), "trained": message.trained}
            for message in conversation.messages
        ]
    }


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_SAMPLE_CHARS else text[:_MAX_SAMPLE_CHARS] + "…"
