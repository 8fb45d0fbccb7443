"""What resolving must know of the registry, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunedeck.conversations.reading import DEFAULT_READING, Reading


@dataclass(frozen=True)
class ModelFacts:
    """A registered model; `config` is its config.json."""

    name: str
    path: str
    architecture: str
    num_parameters: int
    config: dict[str, Any]


@dataclass(frozen=True)
class DatasetFacts:
    """A version of a registered data set; a row is trainable when it has at least one non-empty assistant turn."""

    name: str
    path: str
    content_sha256: str
    num_rows: int
    num_trainable_rows: int
    version: int = 1
    reading: Reading = DEFAULT_READING
