"""A secret that is made once and kept in a file that only its owner reads."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def read_or_make(file: Path) -> str:
    """The secret in `file`; 256 random bits where it is missing or empty."""
    return _read(file) or _make(file)


def _read(file: Path) -> str:
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        return ""


def _make(file: Path) -> str:
    """Written under another name and renamed: a reader never sees half a secret."""
    secret = secrets.token_urlsafe(32)
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(f"{secret}\n")
    unfinished.replace(file)
    return secret
