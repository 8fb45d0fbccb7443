"""What the validation losses of a run have shown so far: which was the lowest, and how long none has been better.

It is part of each checkpoint, so that a resumed run stops and keeps what an unbroken one would. The loss before the
first step does not count: nothing has been trained that could be kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class ValidationHistory:
    """`loss_to_beat` is the loss that patience is counted from; with a minimum difference it may lie above the best."""

    best_step: int = 0  # none yet
    best_loss: float = math.inf
    best_path: str = ""
    loss_to_beat: float = math.inf
    num_without_better: int = 0

    def after(self, step: int, loss: float, path: str, min_delta: float) -> ValidationHistory:
        """The history with one more loss. `path` is where a checkpoint of this step lies, if it is kept."""
        seen = self
        if loss < self.best_loss:
            seen = replace(seen, best_step=step, best_loss=loss, best_path=path)
        if loss < self.loss_to_beat - min_delta:
            return replace(seen, loss_to_beat=loss, num_without_better=0)
        return replace(seen, num_without_better=self.num_without_better + 1)

    def has_run_out_of(self, patience: int) -> bool:
        """A patience of 0 never ends."""
        return 0 < patience <= self.num_without_better

    def why_it_ends(self, patience: int) -> str:
        return (
            f"stopped early: {patience} validation losses in a row were not better; "
            f"the lowest was {self.best_loss:.4f} after step {self.best_step}"
        )
