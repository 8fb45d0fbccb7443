"""What was typed and a model does not take, or a file that cannot be read, as an error that names it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tunedeck.errors import BadInput

# Fields whose value is not for the screen.
_SECRETS = frozenset({"url", "password", "secret"})


@contextmanager
def refusing(what: str, mend: str) -> Iterator[None]:
    """Around the making of a model from what was typed as `what` ("a tag"). Raises BadInput."""
    from pydantic import ValidationError

    try:
        yield
    except ValidationError as fault:
        first = fault.errors()[0]
        typed = "what was typed" if _SECRETS.intersection(first["loc"]) else repr(first["input"])
        raise BadInput(f"{typed} cannot be {what}: {first['msg']}", mend) from None


def read_text(path: Path) -> str:
    """What a file says, in UTF-8. Raises BadInput."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise BadInput(f"{path} cannot be read: {fault}", "name a text file that you can read") from None
