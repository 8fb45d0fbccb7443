"""Until when everything that the workers said is stored, and whether a silence up to then means anything.

It means nothing where the workers could not be heard, or the clocks cannot be compared: while bus or database are away
or slow, after this process or the whole machine was suspended, and across a jump of the wall clock, by which leases are
written. After each of these a whole lease is listened for before any is judged. Leases by the monotonic clock were
rejected: the next backend, perhaps on another machine, could not read them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# More than NTP corrects at once, less than anything that could be mistaken for a silence.
_JUMP_S = 1.0


@dataclass(frozen=True)
class Moment:
    """One moment on both clocks: `wall_s` is unix time and may jump, `steady_s` never does but begins anywhere."""

    wall_s: float
    steady_s: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.time(), time.monotonic())

    def has_jumped_since(self, earlier: Moment) -> bool:
        """Whether the wall clock was set in between, or the machine slept."""
        return abs((self.wall_s - earlier.wall_s) - (self.steady_s - earlier.steady_s)) > _JUMP_S


class Hearing:
    def __init__(self, lease_s: float, now: Callable[[], Moment] = Moment.now) -> None:
        self._lease_s = lease_s
        self._now = now
        self._since: Moment | None = None
        self._until: Moment | None = None
        self._asked = now()

    @contextmanager
    def asking(self, patience_s: float) -> Iterator[None]:
        """Around a question to the bus, which may wait for up to `patience_s` seconds before it answers.

        One that took much longer stood still, and what the workers wanted to say then is still to come.
        """
        self._asked = self._now()
        yield
        answered = self._now()
        if answered.steady_s - self._asked.steady_s > patience_s + self._lease_s / 4:
            self.interrupt()
            self._asked = answered

    def all_is_stored(self) -> None:
        """All that the bus held when it was last asked is in the database."""
        if self._until is not None and self._asked.has_jumped_since(self._until):
            self.interrupt()
        self._until = self._asked
        self._since = self._since or self._asked

    def interrupt(self) -> None:
        """Something may have been said that was not heard."""
        self._since = self._until = None

    def lasted_s(self) -> float:
        """For how long everything has been heard without a break."""
        if self._since is None or self._until is None or self._now().has_jumped_since(self._until):
            return 0.0
        return max(0.0, self._until.steady_s - self._since.steady_s)

    def silence_until(self) -> float | None:
        """The unix time up to which silence can be judged, None while none can."""
        if self._until is None or self.lasted_s() < self._lease_s:
            return None
        return self._until.wall_s
