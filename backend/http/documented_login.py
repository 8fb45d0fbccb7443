"""Says in the OpenAPI document how to log in.

FastAPI's own way, a security scheme among the dependencies of each route, was rejected: it is worked out anew for every
request, though the guards have checked the login long before any route is looked for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_NAME = "HTTPBearer"
_SCHEME = {"type": "http", "scheme": "bearer", "description": "or the session cookie"}


def with_login(document_of: Callable[[], dict[str, Any]], prefix: str) -> Callable[[], dict[str, Any]]:
    """`document_of`, with a login needed for every call below `prefix`."""

    def openapi() -> dict[str, Any]:
        document = document_of()
        document["components"]["securitySchemes"] = {_NAME: _SCHEME}
        for path, operations in document["paths"].items():
            if path.startswith(prefix):
                for operation in operations.values():
                    operation["security"] = [{_NAME: []}]
        return document

    return openapi
