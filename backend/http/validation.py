"""Pydantic's faults as problems of our own form: a dotted field, the value, what is wrong, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from backend.http.known_names import likely_name
from tunedeck.errors import Problem
from tunedeck.saved_views import VIEW_NAME_PATTERN
from tunedeck.spec import NAME_PATTERN

_MENDS = {
    "missing": "add it",
    "extra_forbidden": "remove it, or correct its spelling",
    "literal_error": "use one of: {expected}",
    "enum": "use one of: {expected}",
    "greater_than": "use more than {gt}",
    "greater_than_equal": "use at least {ge}",
    "less_than": "use less than {lt}",
    "less_than_equal": "use at most {le}",
    "string_pattern_mismatch": "write it as the pattern asks",
    "string_too_long": "use at most {max_length} characters",
    "string_too_short": "use at least {min_length} characters",
    "int_parsing": "give a whole number",
    "int_type": "give a whole number",
    "int_from_float": "give a whole number",
    "float_parsing": "give a number",
    "float_type": "give a number",
    "finite_number": "give a finite number",
    "bool_parsing": "give true or false",
    "bool_type": "give true or false",
    "string_type": "give a text",
    "model_type": "give an object of its fields",
    "dict_type": "give an object",
}
_MENDS_BY_PATTERN = {
    NAME_PATTERN: "use 1 to 80 letters, digits, '.', '_' or '-', beginning with a letter or digit",
    VIEW_NAME_PATTERN: "use up to 80 characters, none of them a '/', with no space at either end",
}
_SOURCES = ("body", "query", "path", "header", "cookie")


def problems_of(faults: Sequence[Mapping[str, Any]], model: type[BaseModel] | None = None) -> tuple[Problem, ...]:
    """One Problem per fault of a pydantic `errors()` list. With `model`, an unknown key gets its likely spelling."""
    return tuple(_problem(fault, model) for fault in faults)


def _problem(fault: Mapping[str, Any], model: type[BaseModel] | None) -> Problem:
    kind, path = fault["type"], _path(fault["loc"])
    if kind == "json_invalid":
        message = f"the body is not valid JSON: {fault['ctx']['error']} at character {path[-1]}"
        return Problem("", None, message, "send valid JSON")
    if isinstance(fault.get("input"), bytes) and not path:  # FastAPI parses only what says that it is JSON
        return Problem(
            "", None, "the body does not say that it is JSON", "send the header Content-Type: application/json"
        )
    field = ".".join(path)
    value = None if kind == "missing" else fault.get("input")
    message = _message(kind, field, value, fault["msg"])
    if kind == "extra_forbidden" and model is not None and (likely := _likely_spelling(path, model)):
        return Problem(field, value, message, f"did you mean {likely}? Remove or rename it")
    known = {"expected": "", **fault.get("ctx", {})}
    mend = _MENDS_BY_PATTERN.get(known.get("pattern", "")) or _MENDS.get(kind, "correct the value").format_map(known)
    return Problem(field, value, message, mend)


def _path(loc: Sequence[int | str]) -> list[str]:
    """The field as the user wrote it: without the part of the request, which they did not write."""
    return [str(part) for part in (loc[1:] if loc and loc[0] in _SOURCES else loc)]


def _message(kind: str, field: str, value: Any, explanation: str) -> str:
    name = field or "the input"
    if kind == "missing":
        return f"{name} is missing"
    if kind == "extra_forbidden":
        return f"{name} is not a known field"
    shown = repr(value)
    shown = shown if len(shown) <= 80 else f"{shown[:80]}…"
    return f"{name} is {shown}: {explanation[:1].lower()}{explanation[1:]}"


def _likely_spelling(path: list[str], model: type[BaseModel]) -> str:
    """The known field whose name is closest to the last part of `path`, or ""."""
    for part in path[:-1]:
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ""
        model = inner
    return likely_name(path[-1], model.model_fields)
