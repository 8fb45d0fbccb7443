"""Refuses query parameters that a call does not know: with a misspelt filter it would answer with everything.

FastAPI ignores them unless each route takes a model of all its parameters, which would hide them from the signatures.
"""

from __future__ import annotations

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from backend.http.known_names import mend_of, refuse
from tunedeck.errors import Problem


async def refuse_unknown_parameters(request: Request) -> None:
    """A dependency of every REST route. Raises BadInput with a problem for each unknown name."""
    if not request.scope["query_string"]:
        return
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    known = _names_of(route.dependant)
    unknown = [(name, value) for name, value in request.query_params.multi_items() if name not in known]
    refuse(
        tuple(
            Problem(name, value, f"{name} is not a parameter of this call", mend_of(name, known))
            for name, value in unknown
        )
    )


def _names_of(dependant: Dependant) -> list[str]:
    """The query parameters of a route and of all that it depends on."""
    below = [name for each in dependant.dependencies for name in _names_of(each)]
    return [*(field.alias for field in dependant.query_params), *below]
