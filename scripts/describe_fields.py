"""Writes docs/fields.md: every field of a job spec, from the spec itself, so that no description stands in two places.

    python scripts/describe_fields.py > docs/fields.md

A test holds the page to what this prints.
"""

from __future__ import annotations

from typing import Any

from tunedeck.spec import JobSpec

HEAD = """# Every field of a job spec

Written by `scripts/describe_fields.py` from `tunedeck/spec.py`. Training fields have Megatron's names. A field that is
left out has its default; where that is `none`, the description says what is decided then. Over a preset, `null` takes a
field of the preset back.
"""


def page() -> str:
    schema = JobSpec.model_json_schema()
    parts = {name: _shape(node, schema) for name, node in schema["properties"].items()}
    own = {name: schema["properties"][name] for name, shape in parts.items() if "properties" not in shape}
    tables = [_table("The job", "", {name: (node, parts[name]) for name, node in own.items()}, schema)]
    for name, shape in parts.items():
        if "properties" in shape:
            fields = {f"{name}.{key}": (node, _shape(node, schema)) for key, node in shape["properties"].items()}
            tables.append(_table(name, shape.get("description", ""), fields, schema))
    return "\n".join([HEAD, *tables])


def _shape(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The node without its reference, and of "this or null" the one beside null."""
    if "$ref" in node:
        return dict(schema["$defs"][node["$ref"].rsplit("/", 1)[-1]])
    shapes = [option for option in node.get("anyOf", ()) if option.get("type") != "null"]
    return _shape(shapes[0], schema) if shapes else node


def _table(title: str, about: str, fields: dict[str, tuple[dict[str, Any], dict[str, Any]]], schema: Any) -> str:
    rows = [
        f"| `{path}` | {_values(shape)} | {_default(node)} | {_text(node, shape)} |"
        for path, (node, shape) in fields.items()
    ]
    lines = [f"## {title.capitalize()}", "", *([about, ""] if about else [])]
    return "\n".join([*lines, "| field | values | default | |", "| --- | --- | --- | --- |", *rows, ""])


def _values(shape: dict[str, Any]) -> str:
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    kind = {"integer": "whole number", "boolean": "true, false", "string": "text"}.get(shape["type"], shape["type"])
    lowest = shape.get("minimum", shape.get("exclusiveMinimum"))
    if lowest is None:
        return str(kind)
    return f"{kind} {'from' if 'minimum' in shape else 'above'} {lowest:g}"


def _default(node: dict[str, Any]) -> str:
    if "default" not in node:
        return "must be given"
    value = node["default"]
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _text(node: dict[str, Any], shape: dict[str, Any]) -> str:
    text = str(node.get("description") or shape.get("description", ""))
    return text.replace("|", "\\|").replace("None", "none")


if __name__ == "__main__":
    print(page(), end="")
