"""The form fields of a JobSpec, read from its JSON schema, so that a new field of the spec needs no new template.

Only what JobSpec uses is understood: objects one level deep, numbers, strings, booleans, enums, and `null` as "decide
for me". A general schema form library was rejected: it would need a build step and would not group fields as we do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class FormField:
    """One input. `path` is its dotted path in the spec and its name in the form, so that problems find it."""

    path: str
    label: str
    kind: str  # "integer", "number", "string", "boolean" or "choice"
    options: tuple[str, ...]
    default: Any
    required: bool
    description: str
    minimum: float | None
    maximum: float | None
    nullable: bool  # null can be sent, which over a preset means "not the preset's value"
    value: Any
    is_null: bool  # null was asked for, other than a value that nobody gave


TITLES = {
    "": "Reproducibility",
    "optimizer": "Optimizer and schedule",
    "checkpointing": "Checkpoints",
    "evaluation": "Evaluation and early stop",
}


_SPELT = {word.lower(): word for word in ("LR", "WSD", "FP8", "MXFP8", "BF16", "FP32", "CPU", "HF", "WandB")}


@dataclass(frozen=True)
class FormGroup:
    """The fields of one component; the fields of the spec itself are in the group named ""."""

    name: str
    title: str
    explanation: str
    fields: tuple[FormField, ...]


def spec_groups(schema: dict[str, Any], prefill: dict[str, Any] | None = None) -> tuple[FormGroup, ...]:
    """All groups of the form, first the spec's own fields.

    `prefill` is a JobSpec as a dict, best of only what its user set: with a preset, a default that stands in it counts
    as asked for and wins over the preset's value.
    """
    given = _beyond_defaults(prefill or {}, schema)
    own: list[FormField] = []
    groups: list[FormGroup] = []
    for name, property_schema in schema["properties"].items():
        component = _component(property_schema, schema)
        if component is None:
            own.append(_field(name, name, property_schema, schema, given, schema.get("required", ())))
            continue
        groups.append(_group(name, component, schema, given.get(name) or {}))
    return (FormGroup("", TITLES[""], "", tuple(own)), *groups)


def _beyond_defaults(prefill: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Without a preset a value that is the default says nothing. Over a preset it says "the default all the same"."""
    if prefill.get("preset"):
        return prefill
    kept: dict[str, Any] = {}
    for name, value in prefill.items():
        shape = _follow(schema["properties"][name], schema)
        if isinstance(value, dict):
            defaults = {key: field.get("default") for key, field in shape["properties"].items()}
            kept[name] = {key: one for key, one in value.items() if one != defaults[key]}
        elif value != shape.get("default"):
            kept[name] = value
    return kept


def _group(name: str, component: dict[str, Any], schema: dict[str, Any], given: dict[str, Any]) -> FormGroup:
    required = component.get("required", ())
    fields = tuple(
        _field(f"{name}.{key}", key, value, schema, given, required) for key, value in component["properties"].items()
    )
    return FormGroup(name, TITLES.get(name, name.capitalize()), component.get("description", ""), fields)


def _component(property_schema: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any] | None:
    target = _follow(property_schema, schema)
    return target if target.get("type") == "object" else None


def _follow(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """`node`, or what its `$ref` names."""
    reference = node.get("$ref", "")
    if not reference:
        return node
    return dict(schema["$defs"][reference.rsplit("/", 1)[-1]])


def _field(
    path: str, key: str, node: dict[str, Any], schema: dict[str, Any], given: dict[str, Any], required: Any
) -> FormField:
    shape = _without_null(_follow(node, schema), schema)
    return FormField(
        path=path,
        label=_label(key),
        kind="choice" if "enum" in shape else str(shape.get("type", "string")),
        options=tuple(str(option) for option in shape.get("enum", ())),
        default=node.get("default"),
        required=key in required,
        description=str(node.get("description") or shape.get("description") or ""),
        minimum=shape.get("minimum", shape.get("exclusiveMinimum")),
        maximum=shape.get("maximum", shape.get("exclusiveMaximum")),
        nullable=any(option.get("type") == "null" for option in node.get("anyOf", ())),
        value=given.get(key),
        is_null=key in given and given[key] is None,
    )


def _label(key: str) -> str:
    """`fp8_param_gather` reads "FP8 param gather"."""
    text = " ".join(_SPELT.get(word, word) for word in key.split("_"))
    return text[0].upper() + text[1:]


def _without_null(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """The one shape beside null of an optional field."""
    shapes = [_follow(option, schema) for option in node.get("anyOf", ()) if option.get("type") != "null"]
    return shapes[0] if shapes else node
