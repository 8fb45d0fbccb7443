"""How the flat dataclasses that a watch consists of are kept as JSON.

`dataclasses.asdict` was rejected: it copies value by value, which was a seventh of what ingest did with 1,000 runs.
"""

from __future__ import annotations

from typing import Any, TypeVar

P = TypeVar("P")


def kept(part: object) -> dict[str, Any]:
    return dict(vars(part))


def of(kind: type[P], found: object) -> P:
    """From what `kept` gave; what another version kept begins anew."""
    fresh = kind()
    return kind(**found) if isinstance(found, dict) and found.keys() == vars(fresh).keys() else fresh
