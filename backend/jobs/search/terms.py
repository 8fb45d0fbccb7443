"""The language of the search box, of `q` in REST and of `tunedeck ls`: terms that must all be true of a job.

    fox                     the text is part of the name, the id, the model, the data set or a tag
    "red fox"               likewise, with the space
    tag:base                the field contains the text; a choice or a number must be equal
    model=qwen3-4b          the field is exactly that (capital letters do not matter)
    optimizer.lr>1e-5       also >=, <, <=, != ; a field may be named by its last part where that is enough: lr>1e-5
    state:failed,cancelled  one of these
    -tag:old                not

There is no "or" between terms and there are no brackets: a person who needs them asks the REST interface twice. SQL or
a general expression language was rejected: nobody types it into a search box.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from backend.http.known_names import mend_of
from backend.jobs.search.fields import NOTHING, Kind, SearchField, field_named
from tunedeck.errors import BadInput

FLAGS = {"true": True, "yes": True, "false": False, "no": False}
_QUOTED = r'"[^"]*"'
_TERM = re.compile(
    rf"(?P<minus>-?)(?:(?P<field>[A-Za-z_][\w.]*)(?P<operator>!=|>=|<=|[:=<>])(?P<values>(?:{_QUOTED}|[^\s\"])*)"
    rf'|(?P<text>{_QUOTED}|[^\s"]+))(?=\s|$)'
)
_VALUE = re.compile(rf'{_QUOTED}|[^,"]+')
_ORDERS = frozenset({"<", "<=", ">", ">="})


@dataclass(frozen=True)
class FreeText:
    text: str
    is_negated: bool


@dataclass(frozen=True)
class FieldTerm:
    """`field` compared by `operator` (one of : = < <= > >=) with any of `values`."""

    field: SearchField
    operator: str
    values: tuple[str, ...]
    is_negated: bool

    @property
    def numbers(self) -> tuple[float, ...]:
        return tuple(float(value) for value in self.values if value != NOTHING)


Term = FreeText | FieldTerm


def read_terms(q: str) -> tuple[Term, ...]:
    """Raises BadInput at `q` for the first term that makes no sense, with what was probably meant."""
    terms: list[Term] = []
    at = 0
    while at < len(q):
        if q[at].isspace():
            at += 1
            continue
        found = _TERM.match(q, at)
        if found is None:
            message = f"a quotation mark of {q[at:]!r} has no partner"
            raise BadInput.at("q", q, message, 'close it: name:"red fox"')
        terms.append(_term_of(found))
        at = found.end()
    return tuple(terms)


def _term_of(found: re.Match[str]) -> Term:
    is_negated = found["minus"] == "-"
    if found["field"] is None:
        return FreeText(found["text"].strip('"'), is_negated)
    term, operator = found[0].lstrip("-"), found["operator"]
    field = field_named(found["field"], term)
    values = tuple(value.strip('"') for value in _VALUE.findall(found["values"]))
    if not values:
        raise BadInput.at("q", term, f"{term} lacks a value", _example(field, operator))
    if operator == "!=":
        operator, is_negated = "=", not is_negated
    _require_order(field, operator, values, term)
    return FieldTerm(field, operator, tuple(_value_of(field, value, term) for value in values), is_negated)


def _require_order(field: SearchField, operator: str, values: tuple[str, ...], term: str) -> None:
    """Only numbers are greater and less, and than one other."""
    if operator not in _ORDERS:
        return
    if field.kind is not Kind.NUMBER:
        raise BadInput.at("q", term, f"{field.name} has no order, so {operator} means nothing", "use : or =")
    if len(values) > 1 or values[0] == NOTHING:
        raise BadInput.at("q", term, f"{operator} wants one number", _example(field, operator))


def _value_of(field: SearchField, value: str, term: str) -> str:
    """`value` as it is stored."""
    lowered = value.lower()
    match field.kind:
        case Kind.CHOICE:
            stored = {choice.lower(): choice for choice in field.choices}.get(lowered)
            if stored is None:
                message = f"{field.name} is never {value!r}"
                raise BadInput.at("q", term, message, mend_of(value, field.choices))
            return stored
        case Kind.FLAG:
            if lowered not in FLAGS:
                raise BadInput.at("q", term, f"{field.name} is true or false, not {value!r}", f"{field.name}:true")
            return "true" if FLAGS[lowered] else "false"
        case Kind.NUMBER:
            return lowered if lowered == NOTHING else _number(field, value, term)
        case Kind.TEXT:
            return value


def _number(field: SearchField, value: str, term: str) -> str:
    try:
        return repr(float(value))
    except ValueError as fault:
        message = f"{field.name} is a number, and {value!r} is none"
        raise BadInput.at("q", term, message, _example(field, ">")) from fault


def _example(field: SearchField, operator: str) -> str:
    value = {Kind.NUMBER: "0.5", Kind.FLAG: "true", Kind.TEXT: "text"}.get(field.kind) or field.choices[0]
    return f"for example {field.name}{operator}{value}"
