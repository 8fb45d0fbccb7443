"""What this service is, for the settings page: versions and places, without a password."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import make_url

from tunedeck import __version__
from tunedeck.settings import Settings


def about_the_service(settings: Settings, owner: str) -> dict[str, str]:
    """By the name that the page shows."""
    return {
        "version": __version__,
        "you": owner,
        "database": make_url(settings.resolved_database_url()).render_as_string(hide_password=True),
        "bus": make_url(settings.redis_url).render_as_string(hide_password=True) if settings.redis_url else "embedded",
        "data folder": str(settings.data_dir.resolve()),
        "models from": _joined(settings.allowed_model_roots()),
        "data sets from": _joined(settings.allowed_dataset_roots()),
    }


def _joined(roots: tuple[Path, ...]) -> str:
    return ", ".join(map(str, roots))
