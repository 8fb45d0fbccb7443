"""Values that a spec can name and the engine does not have yet. Whoever builds one takes its line away.

They are refused like any other fault: a field that is accepted and then ignored would be worse than none.
"""

from __future__ import annotations

from typing import Any

from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedSpec

# The path of a field in a ResolvedSpec, and the only values of it that the engine honours.
ONLY_BUILT: dict[str, tuple[Any, ...]] = {
    "data.validation_dataset": ("",),
}


def not_built_problems(spec: ResolvedSpec) -> list[Problem]:
    values = {path: _value(spec, path) for path in ONLY_BUILT}
    return [
        Problem(
            path,
            value,
            f"{path} = {value} is not built into the engine yet",
            f"use {' or '.join(map(str, ONLY_BUILT[path]))}",
        )
        for path, value in values.items()
        if value not in ONLY_BUILT[path]
    ]


def _value(spec: ResolvedSpec, path: str) -> Any:
    component, field = path.split(".")
    return getattr(getattr(spec, component), field)
