"""A JSON object that a route takes as it came, but documents as one of our models.

For bodies that need work before they can be validated (a preset to be laid under a spec).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


@dataclass(frozen=True)
class DocumentedAs:
    """`Annotated[dict[str, Any], Body(), DocumentedAs(JobSpec)]`: OpenAPI shows the model, the route gets the dict."""

    model: type[BaseModel]

    def __get_pydantic_json_schema__(self, _: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(self.model.__pydantic_core_schema__)


RawObject = dict[str, Any]
