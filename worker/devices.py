"""Which GPUs of this host an attempt gets. The backend reserves a number of devices; which ones is known here alone,
because only the worker sees when the processes that used a device are really gone.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Protocol


class Dealer(Protocol):
    """Deals out devices by index."""

    def take(self, job_id: str, num_devices: int, avoid: Collection[int] = ()) -> tuple[int, ...] | None: ...

    def give_back(self, indices: tuple[int, ...]) -> None: ...

    def holders(self) -> dict[int, str]:
        """The id of the job that holds each device that is not free."""
        ...


class Devices:
    """The devices of this host, by index. On a CPU host they stand for cores and the indices mean nothing."""

    def __init__(self, num_devices: int) -> None:
        self._free = set(range(num_devices))
        self._holders: dict[int, str] = {}
        self._lock = threading.Lock()

    def take(self, job_id: str, num_devices: int, avoid: Collection[int] = ()) -> tuple[int, ...] | None:
        """The lowest free indices that are not to be avoided, or None while there are not enough: a fenced attempt may
        still be ending."""
        with self._lock:
            on_offer = sorted(self._free.difference(avoid))
            if len(on_offer) < num_devices:
                return None
            taken = tuple(on_offer[:num_devices])
            self._free.difference_update(taken)
            self._holders.update(dict.fromkeys(taken, job_id))
            return taken

    def give_back(self, indices: tuple[int, ...]) -> None:
        with self._lock:
            self._free.update(indices)
            for index in indices:
                self._holders.pop(index, None)

    def holders(self) -> dict[int, str]:
        with self._lock:
            return dict(self._holders)


class DealtOutElsewhere:
    """The devices of a cluster that has a queue of its own: an attempt waits there, and here for nothing."""

    def take(self, job_id: str, num_devices: int, avoid: Collection[int] = ()) -> tuple[int, ...] | None:
        return ()

    def give_back(self, indices: tuple[int, ...]) -> None:
        return

    def holders(self) -> dict[int, str]:
        return {}
