"""Whether one thing is wrong: it begins after some bad steps in a row, and ends after some good ones in a row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Alarm:
    """`since_step` and `since` (unix seconds) are of the first of the bad steps in a row."""

    is_on: bool = False
    since_step: int = 0
    since: float = 0.0
    num_in_a_row: int = 0

    def judge(self, step: int, t: float, *, bad: bool, good: bool, begins_after: int, ends_after: int) -> None:
        """Take one step. One that is neither bad nor good breaks a row."""
        counts = good if self.is_on else bad
        if not counts:
            self.num_in_a_row = 0
            return
        if not self.is_on and self.num_in_a_row == 0:
            self.since_step, self.since = step, t
        self.num_in_a_row += 1
        if self.num_in_a_row >= (ends_after if self.is_on else begins_after):
            self.is_on, self.num_in_a_row = not self.is_on, 0
