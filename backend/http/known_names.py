"""Names that a caller asks for must exist: an empty answer to a misspelt name would look like "nothing there"."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from tunedeck.errors import BadInput, Problem


def known_names(field: str, asked: Collection[str], known: Collection[str]) -> None:
    """Raise BadInput at `field` with a problem for each of `asked` that is not among `known`."""
    unknown = sorted(name for name in asked if name not in known)
    refuse(tuple(Problem(field, name, f"there is no {field} {name!r}", mend_of(name, known)) for name in unknown))


def refuse(problems: tuple[Problem, ...]) -> None:
    """Raise BadInput with all of them, in the words of the first; nothing where there are none."""
    if problems:
        raise BadInput(problems[0].message, problems[0].mend, problems)


def mend_of(name: str, known: Collection[str]) -> str:
    """What to write instead of a name that is not among `known`."""
    if likely := likely_name(name, known):
        return f"did you mean {likely}?"
    return f"leave it out, or use one of: {', '.join(known)}" if known else "leave it out: there are none"


def likely_name(name: str, known: Collection[str]) -> str:
    """The one of `known` that was probably meant, or ""."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), "")
