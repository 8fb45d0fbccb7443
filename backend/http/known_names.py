"""Names that a caller asks for must exist: an empty answer to a misspelt name would look like "nothing there"."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from tunedeck.errors import BadInput, Problem


def known_names(field: str, asked: Collection[str], known: Collection[str]) -> None:
    """Raise BadInput at `field` with a problem for each of `asked` that is not among `known`."""
    problems = tuple(
        Problem(field, name, f"there is no {field} {name!r}", _mend(name, known))
        for name in sorted(asked)
        if name not in known
    )
    if problems:
        raise BadInput(problems[0].message, problems[0].mend, problems)


def _mend(name: str, known: Collection[str]) -> str:
    if likely := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {likely[0]}?"
    return f"use one of: {', '.join(known)}"
