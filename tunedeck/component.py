"""The base of every model that crosses a border: of specs, views, events, reports.

A file of its own, so that a part of a spec may live in another module than `spec.py` without importing it in a circle.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Component(BaseModel):
    """Immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
