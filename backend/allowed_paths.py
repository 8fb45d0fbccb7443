"""Paths that users name: only below the configured roots, after every symbolic link is followed.

A path outside is refused before it is looked at, so that the answer does not tell whether it exists.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tunedeck.errors import PathRefused


def resolve_below(asked: str, base: Path, roots: Sequence[Path]) -> Path:
    """The absolute path of `asked`, a relative one being taken below `base`. Raises PathRefused at field `path`."""
    try:
        path = (base / asked).resolve()
    except (ValueError, OSError, RuntimeError) as fault:  # a NUL byte; a circle of links
        raise PathRefused.at("path", asked, f"{asked!r} is not a path: {fault}", "correct the path") from fault
    require_below(path, asked, roots)
    try:
        path.stat()
    except FileNotFoundError:
        pass  # what is missing, a file or a folder, the caller says
    except OSError as fault:  # no permission; a name too long
        raise PathRefused.at("path", asked, f"{asked!r} cannot be read: {fault.strerror}", "correct it") from fault
    return path


def require_below(path: Path, asked: str, roots: Sequence[Path]) -> None:
    """Raise PathRefused unless the resolved `path` lies below one of the resolved `roots`."""
    if any(path.is_relative_to(root) for root in roots):
        return
    allowed = " or ".join(str(root) for root in roots)
    mend = f"move it below {allowed}, or add its folder to TUNEDECK_MODEL_ROOTS or TUNEDECK_DATASET_ROOTS"
    raise PathRefused.at("path", asked, f"{asked!r} lies outside the folders that may be read", mend)
