"""`python -m backend.datasets.check_process`: reads a file in a process that may fail without harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunedeck.child_process import Progress, answer
from tunedeck.conversations import Reading
from tunedeck.conversations.scan import inspect

_MEMORY_BYTES = 3 << 30


def check(request: dict[str, Any], progress: Progress) -> Any:
    reading = Reading.model_validate(request["reading"])
    return inspect(Path(request["path"]), reading, progress).model_dump(mode="json")


if __name__ == "__main__":
    answer(check, _MEMORY_BYTES)
