"""From a spec file and `--set` options to the mapping that is sent. What is in it, the service checks."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tunedeck.errors import BadInput


class _SpecLoader(yaml.SafeLoader):
    """YAML as a spec means it: `1e-4` is a number (YAML 1.1 wants `1.0e-4`), and a date is text."""


_SpecLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_SpecLoader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def read_spec(path: Path, assignments: Sequence[str]) -> dict[str, Any]:
    """The file's mapping with each `dotted.field=value` laid over. Raise BadInput naming the file or the option."""
    return lay_over(_read_mapping(path), assignments)


def lay_over(spec: dict[str, Any], assignments: Sequence[str]) -> dict[str, Any]:
    """`spec` with each `dotted.field=value` laid over. Raise BadInput naming the option."""
    for assignment in assignments:
        _assign(spec, assignment)
    return spec


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        mend = "name a YAML or JSON file that you can read"
        raise BadInput.at("SPEC", str(path), f"{path} cannot be read: {error}", mend) from None
    try:
        content = _parse(text)
    except yaml.YAMLError as error:
        mend = "mend the file at the place that the message names"
        raise BadInput.at("SPEC", str(path), f"{path} is neither YAML nor JSON: {error}", mend) from None
    if not isinstance(content, dict):
        raise BadInput.at(
            "SPEC", str(path), f"{path} holds a {type(content).__name__}, not a spec", "write `field: value` lines"
        )
    return content


def _assign(spec: dict[str, Any], assignment: str) -> None:
    field, equals, text = assignment.partition("=")
    names = field.split(".")
    if not equals or not all(names):
        raise BadInput.at("--set", assignment, f"{assignment!r} is no assignment", "write --set optimizer.lr=1e-4")
    part = spec
    for name in names[:-1]:
        part = part.setdefault(name, {})
        if not isinstance(part, dict):
            raise BadInput.at(
                "--set", assignment, f"{name} in {field} is a value, not a group", "name a field of a group"
            )
    part[names[-1]] = _value_of(text)


def _value_of(text: str) -> Any:
    try:
        return _parse(text)
    except yaml.YAMLError:
        return text


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return yaml.load(text, Loader=_SpecLoader)  # a SafeLoader: it builds plain values only
