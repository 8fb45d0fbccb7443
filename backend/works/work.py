"""One long work: what was asked, how far it is, what came out."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict

from tunedeck.child_process import Child
from tunedeck.errors import TunedeckError, error_of
from tunedeck.ids import new_id
from tunedeck.views.works import WorkView


class Stopped(Exception):
    """The work was cancelled, or the backend ends."""


class KeptWork(BaseModel):
    """A work as it lies on the disk; `ended_at` is None for one that is still to be done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    owner: str
    kind: str
    title: str
    unit: str
    request: dict[str, Any]
    created_at: float
    num_starts: int
    ended_at: float | None
    done: int
    total: int
    is_cancelled: bool
    result: Any
    fault: dict[str, Any] | None


@dataclass
class Work:
    """`request` is JSON and all that its kind needs to begin it, also in another process after a restart."""

    owner: str
    kind: str
    title: str
    request: dict[str, Any]
    unit: str = ""
    id: str = field(default_factory=new_id)
    created_at: float = field(default_factory=time.time)
    num_starts: int = 0
    ended_at: float | None = None
    is_running: bool = False
    is_stopping: bool = False
    is_interrupted: bool = False
    done: int = 0
    total: int = 0
    result: Any = None
    fault: TunedeckError | None = None
    _child: Child | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, kept: KeptWork) -> Work:
        plain = kept.model_dump(exclude={"is_cancelled", "fault"})
        fault = error_of(kept.fault) if kept.fault else None
        return cls(**plain, is_stopping=kept.is_cancelled, fault=fault)

    def kept(self) -> KeptWork:
        own = {"is_cancelled": self.is_stopping, "result": self._plain_result(), "fault": self._plain_fault()}
        return KeptWork(**{name: getattr(self, name) for name in KeptWork.model_fields if name not in own}, **own)

    def ask(self, module: str, request: dict[str, Any], unit: str) -> Any:
        """The answer of a child process to one request; its progress, in `unit`s, is that of the work. Raises
        Stopped."""
        with self._lock:
            if self._must_stop:
                raise Stopped
            self.unit, self.done, self.total = unit, 0, 0
            self._child = Child(module)
        try:
            return self._child.ask(request, self.progress)
        except TunedeckError as fault:
            if self._must_stop:
                raise Stopped from fault
            raise
        finally:
            with self._lock:
                self._child.stop()
                self._child = None

    def progress(self, done: int, total: int) -> None:
        self.done, self.total = done, total

    def stop(self) -> None:
        """For good."""
        with self._lock:
            self.is_stopping = True
            self._kill()

    def interrupt(self) -> None:
        """Until the next backend takes it up."""
        with self._lock:
            self.is_interrupted = True
            self._kill()

    @property
    def state(self) -> str:
        if self.ended_at is None:
            return "stopping" if self.is_stopping else "running" if self.is_running else "waiting"
        return "cancelled" if self.is_stopping else "failed" if self.fault else "succeeded"

    def view(self) -> WorkView:
        return WorkView.model_validate(
            {
                **{name: getattr(self, name) for name in WorkView.model_fields if name not in ("result", "fault")},
                "result": self._plain_result() if self.state == "succeeded" else None,
                "fault": self._plain_fault() if self.state == "failed" else None,
            }
        )

    @property
    def _must_stop(self) -> bool:
        return self.is_stopping or self.is_interrupted

    def _kill(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _plain_result(self) -> Any:
        return self.result.model_dump(mode="json") if isinstance(self.result, BaseModel) else self.result

    def _plain_fault(self) -> dict[str, Any] | None:
        return self.fault.as_dict() if self.fault else None
