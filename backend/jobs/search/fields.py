"""What a search may name: columns of a job, and every field of a spec as asked and as resolved.

The fields of specs are read off the models, so a new one can be searched for without a line here.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel

from backend.http.known_names import likely_name
from tunedeck.errors import BadInput
from tunedeck.lifecycle import JobState
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import JobSpec

NOTHING = "none"


class Kind(Enum):
    TEXT = "text"
    CHOICE = "one of its values"
    NUMBER = "number"
    FLAG = "true or false"


@dataclass(frozen=True)
class SearchField:
    """`is_of_spec`: kept in the index of specs, else a column or a table of the job."""

    name: str
    kind: Kind
    choices: tuple[str, ...] = ()
    is_of_spec: bool = field(default=False, kw_only=True)


JOB_FIELDS = {
    each.name: each
    for each in (
        SearchField("name", Kind.TEXT),
        SearchField("id", Kind.TEXT),
        SearchField("tag", Kind.TEXT),
        SearchField("state", Kind.CHOICE, tuple(JobState)),
        SearchField("model", Kind.TEXT),
        SearchField("dataset", Kind.TEXT),
        SearchField("owner", Kind.TEXT),
        SearchField("notes", Kind.TEXT),
        SearchField("priority", Kind.NUMBER),
        SearchField("best_validation_loss", Kind.NUMBER),
        SearchField("archived", Kind.FLAG),
    )
}


def field_named(name: str, term: str) -> SearchField:
    """The field that is called `name`, or whose last part is. Raises BadInput at `q`; `term` is what was typed."""
    if found := JOB_FIELDS.get(name) or spec_fields().get(name):
        return found
    meant = [each for path, each in spec_fields().items() if path.rpartition(".")[2] == name]
    if len(meant) == 1:
        return meant[0]
    if meant:
        paths = " or ".join(each.name for each in meant)
        raise BadInput.at("q", term, f"{name} may be several fields", f"write {paths}")
    raise BadInput.at("q", term, f"there is no field {name}", _mend_of(name, term))


def _mend_of(name: str, term: str) -> str:
    likely = likely_name(name, [*JOB_FIELDS, *spec_fields()]) or _path_of(
        likely_name(name.rpartition(".")[2], _lasts())
    )
    as_text = f'to search for the text, put it in quotes: "{term}"'
    return f"did you mean {likely}? If not, {as_text}" if likely else f"use a field of the help, or {as_text}"


def _lasts() -> list[str]:
    return [path.rpartition(".")[2] for path in spec_fields()]


def _path_of(last: str) -> str:
    return next((path for path in spec_fields() if last and path.rpartition(".")[2] == last), "")


@cache
def spec_fields() -> dict[str, SearchField]:
    """By path, in the order of the models. Where asked and resolved differ, the resolved one tells the kind."""
    found: dict[str, SearchField] = {}
    for each in (*_fields_of(JobSpec), *_fields_of(ResolvedSpec)):
        if each.name in JOB_FIELDS:
            continue
        asked = found.get(each.name)
        choices = tuple(dict.fromkeys((*(asked.choices if asked else ()), *each.choices)))
        found[each.name] = SearchField(each.name, each.kind, choices, is_of_spec=True)
    return found


def part_of(path: str) -> str:
    """The part of a spec that a field is in; "" for a field that is in none."""
    return path.partition(".")[0] if "." in path else ""


def _fields_of(model: type[BaseModel], above: str = "") -> Iterator[SearchField]:
    for name, each in model.model_fields.items():
        types_of = tuple(_plain_types(each.annotation))
        below = [part for part in types_of if isinstance(part, type) and issubclass(part, BaseModel)]
        if below:
            yield from _fields_of(below[0], f"{above}{name}.")
        else:
            yield _leaf(f"{above}{name}", types_of)


def _leaf(path: str, types_of: tuple[Any, ...]) -> SearchField:
    choices = tuple(str(value) for each in types_of if get_origin(each) is Literal for value in get_args(each))
    if choices:
        return SearchField(path, Kind.CHOICE, (*choices, NOTHING) if type(None) in types_of else choices)
    if bool in types_of:
        return SearchField(path, Kind.FLAG)
    return SearchField(path, Kind.NUMBER if {int, float} & set(types_of) else Kind.TEXT)


def _plain_types(annotation: Any) -> Iterator[Any]:
    """The parts of a union, without what Annotated says of them."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _plain_types(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for part in get_args(annotation):
            yield from _plain_types(part)
    else:
        yield annotation
