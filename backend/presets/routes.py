"""/api/v1/presets. Without service and queries: the presets are constants of the shared language."""

from __future__ import annotations

from fastapi import APIRouter

from tunedeck.presets import PRESETS
from tunedeck.views.page import Page
from tunedeck.views.presets import PresetView

router = APIRouter(prefix="/presets", tags=["presets"])


@router.get("")
def list_presets() -> Page[PresetView]:
    return Page[PresetView](items=PRESETS)
