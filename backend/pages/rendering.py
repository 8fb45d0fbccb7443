"""Templates of the frontend, rendered with plain dicts."""

from __future__ import annotations

from typing import Any

import frontend
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tunedeck import __version__


def build_environment() -> Environment:
    """StrictUndefined: a template that asks for what no route gives fails in the tests, not on the page."""
    environment = Environment(loader=FileSystemLoader(frontend.TEMPLATES_DIR), autoescape=True, undefined=StrictUndefined)
    frontend.install(environment)
    return environment


def render(
    templates: Environment, name: str, request: Request, *, page: str, status: int = 200, **context: Any
) -> HTMLResponse:
    """The template `name`. Every template gets `page` (the entry of the navigation), `path` and `version`."""
    common = {"page": page, "path": request.url.path, "version": __version__}
    return HTMLResponse(templates.get_template(name).render(common | context), status)
