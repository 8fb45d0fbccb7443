"""What routes and services work with, made once by the application factory and handed to each request.

Module-level singletons were rejected: two applications in one test process would share a database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from jinja2 import Environment

from backend.background import Background
from backend.datasets.service import Registry
from backend.db.database import Database
from backend.jobs.desk import Desk
from backend.previews.service import Previews
from backend.uploads.store import UploadStore
from backend.works.works import Works
from tunedeck.settings import Settings


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    background: Background
    templates: Environment
    uploads: UploadStore
    works: Works
    registry: Registry
    previews: Previews
    desk: Desk


async def services_of(request: Request) -> Services:
    # A coroutine only so that FastAPI does not spend a thread on it.
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(services_of)]


async def owner_of(request: Request) -> str:
    owner: str = request.state.owner  # the guards have put it there
    return owner


OwnerDep = Annotated[str, Depends(owner_of)]
