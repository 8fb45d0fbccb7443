"""What one attempt of a job is given: the one thing that is passed down from the launch to the training."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.engine.event_log import EventLog
from worker.engine.whereabouts import Whereabouts


@dataclass(frozen=True)
class Attempt:
    """`log` is None on every rank but 0; `resume_from` is None for a fresh start.

    `token_cache` is where the host keeps tokenised data sets; None: they are made for this attempt alone.
    """

    spec: ResolvedSpec
    folder: RunFolder
    resume_from: Path | None
    log: EventLog | None
    whereabouts: Whereabouts = field(default_factory=lambda: Whereabouts(0))
    token_cache: Path | None = None

    def phase(self, phase: str) -> None:
        """Tell the outside what begins now."""
        self.whereabouts.at(phase)
        if self.log:
            self.log.phase(phase)
            print(f"{phase} ...", flush=True)
