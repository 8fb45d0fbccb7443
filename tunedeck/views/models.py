"""Models that a run can start from, or that came out of one."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from tunedeck.component import Component
from tunedeck.spec import Name


class RegisterModel(Component):
    name: Name
    path: str = Field(min_length=1, max_length=4096, description="a Hugging Face folder below a configured root")


class ModelView(Component):
    id: str
    name: str
    path: str
    architecture: str
    num_parameters: int
    size_bytes: int
    config: dict[str, Any]
    from_job: str = Field(description='the job that exported it, or ""')
    created_at: float
