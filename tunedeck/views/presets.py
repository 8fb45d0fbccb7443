"""Presets, as the form and the command line offer them."""

from __future__ import annotations

from typing import Any

from tunedeck.component import Component


class PresetView(Component):
    name: str
    title: str
    explanation: str
    values: dict[str, Any]
