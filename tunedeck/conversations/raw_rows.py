"""From a row as the file has it to what is trained of it.

The first row that can be read decides the shape, and every row must have it. Whoever reads a part of a file alone is
told the shape that was found.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunedeck.conversations.checks import Judge, Verdict
from tunedeck.conversations.faults import Fault, excerpt
from tunedeck.conversations.reading import Reading, Shape
from tunedeck.conversations.shapes import MEND_SHAPE, Converter, recognised, shape_of


class RawRows:
    """Converts and judges rows, which must come in order. `columns` are the keys of the first one."""

    def __init__(self, path: Path, reading: Reading, judge: Judge, shape: Shape | None = None) -> None:
        self._path = path
        self._reading = reading
        self._judge = judge
        self._may_change_shape = reading.shape is None
        known = reading.shape or shape
        self._converter = Converter(known, reading) if known else None
        self.columns: tuple[str, ...] = ()

    @property
    def shape(self) -> Shape | None:
        """None while no row could be read."""
        return self._converter.shape if self._converter else None

    def verdict(self, number: int, row: dict[str, Any] | Fault) -> Verdict:
        """Raises DatasetInvalid where the first row has no shape that we know."""
        if isinstance(row, Fault):
            return self._judge.refuse(row)
        if self._converter is None:
            self.columns = tuple(row)
            self._converter = Converter(recognised(self._path, number, row, self._reading.columns), self._reading)
        if self._may_change_shape and (found := shape_of(row, self._reading.columns)) != self._converter.shape:
            return self._judge.refuse(_other_shape(row, found, self._converter.shape))
        return self._judge.judge(self._converter.convert(row))


def _other_shape(row: dict[str, Any], found: Shape | None, shape: Shape) -> Fault:
    if found is None:
        what = f"no known shape of conversation in the keys {excerpt(sorted(row))}"
        return Fault("malformed", what, MEND_SHAPE)
    return Fault("malformed", f"is {found}, the rows before it are {shape}", "keep to one shape")
