"""Templates of the frontend, rendered with plain dicts."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader

import frontend
from backend.http.static_files import content_hash
from backend.jobs.search.fields import JOB_FIELDS, spec_fields
from tunedeck import __version__


def build_environment() -> Environment:
    """The frontend's own additions, and `static(path)`: the address under which a static file may be kept for ever."""
    environment = Environment(loader=FileSystemLoader(frontend.TEMPLATES_DIR), autoescape=True)
    frontend.install(environment)
    folder = f"/static/v-{content_hash(frontend.STATIC_DIR)}"
    environment.globals["static"] = lambda path: f"{folder}/{path}"
    environment.globals["SEARCH_FIELDS"] = {"job": list(JOB_FIELDS), "spec": list(spec_fields())}
    return environment


def render(
    templates: Environment, name: str, request: Request, *, page: str, status: int = 200, **context: Any
) -> HTMLResponse:
    """The template `name`. Every template gets `page` (the entry of the navigation), `path` and `version`."""
    common = {"page": page, "path": request.url.path, "version": __version__}
    return HTMLResponse(templates.get_template(name).render(common | context), status)
