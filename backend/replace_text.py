"""Small files that a reader, also after a crash, sees as they were or as they are now."""

from __future__ import annotations

import time
from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    fresh = path.with_name(f"{path.name}.{time.monotonic_ns()}")
    fresh.write_text(text)
    fresh.replace(path)
