"""The one form in which REST tells an error, and how routes document which errors they answer."""

from __future__ import annotations

import json
import math
from typing import Any

from fastapi import Response

from tunedeck.errors import TunedeckError
from tunedeck.spec import Component

_LONGEST_VALUE = 500


class ProblemBody(Component):
    field: str
    value: Any
    message: str
    mend: str


class ErrorContent(Component):
    code: str
    message: str
    mend: str
    problems: tuple[ProblemBody, ...]


class ErrorBody(Component):
    error: ErrorContent


def documented(*errors: type[TunedeckError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may raise `errors`."""
    described: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        codes = described.setdefault(error.http_status, {"model": ErrorBody, "description": ""})
        codes["description"] = ", ".join(filter(None, (codes["description"], error.code)))
    return described


def error_json(error: dict[str, Any], status: int) -> Response:
    """`error` is TunedeckError.as_dict(); the values in it may be anything that a user sent."""
    body = json.dumps({"error": presentable(error)}, allow_nan=False)
    return Response(body, status, media_type="application/json")


def presentable(value: Any) -> Any:
    """`value` as JSON can carry it and a person can read it: no NaN, no endless text, no types of our own."""
    if value is None or isinstance(value, bool | int):
        return value if value is None or abs(value) < 2**63 else f"{value:.3e}"
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(key): presentable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [presentable(item) for item in value]
    text = str(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}…"
