"""Tags of a job: short words of its own choosing, kept sorted in one column as " a b ", so that LIKE finds " a ".

A table of tags was rejected: every list and every message of the stream would need a join for what is shown of them.
"""

from __future__ import annotations

from collections.abc import Iterable


def tags_of(stored: str) -> tuple[str, ...]:
    return tuple(stored.split())


def stored_tags(tags: Iterable[str]) -> str:
    kept = sorted(set(tags))
    return f" {' '.join(kept)} " if kept else ""
