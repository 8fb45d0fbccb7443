"""What the form of a reading offers for each kind of fault, from the schema, so that a new kind needs no template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tunedeck.conversations import FaultPolicy


@dataclass(frozen=True)
class PolicyField:
    kind: str
    actions: tuple[str, ...]
    default: str
    description: str


def policy_fields() -> tuple[PolicyField, ...]:
    schema: dict[str, Any] = FaultPolicy.model_json_schema()
    return tuple(
        PolicyField(kind, tuple(each["enum"]), each["default"], each["description"])
        for kind, each in schema["properties"].items()
    )
