"""What the demo measured, and the goals that it must reach to count as having learnt."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import computed_field

from tunedeck.spec import Component

MAX_SECONDS_TO_FIRST_POINT = 45.0
MAX_SHARE_OF_FIRST_VALIDATION_LOSS = 0.5
MAX_EXACT_MATCH_BEFORE = 0.05
MIN_EXACT_MATCH_AFTER = 0.80  # must be exceeded


class DemoNumbers(Component):
    """Losses in nats per trained token, exact match as a share of 1, seconds since the command was started."""

    job_id: str
    num_steps: int
    seconds_to_first_point: float
    seconds_to_end_of_job: float
    seconds_total: float
    first_train_loss: float
    last_train_loss: float
    first_validation_loss: float
    last_validation_loss: float
    exact_match_before: float
    exact_match_after: float
    tokens_per_s: float

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no decorated property
    @property
    def goals_missed(self) -> tuple[str, ...]:
        return tuple(self._missed())

    def _missed(self) -> Iterator[str]:
        if self.seconds_to_first_point > MAX_SECONDS_TO_FIRST_POINT:
            yield f"first point after {self.seconds_to_first_point:.0f} s, not {MAX_SECONDS_TO_FIRST_POINT:.0f} s"
        if self.last_validation_loss >= MAX_SHARE_OF_FIRST_VALIDATION_LOSS * self.first_validation_loss:
            yield f"validation loss only from {self.first_validation_loss:.3f} to {self.last_validation_loss:.3f}"
        if self.exact_match_before > MAX_EXACT_MATCH_BEFORE:
            yield f"the base already answers {self.exact_match_before:.0%} exactly"
        if self.exact_match_after <= MIN_EXACT_MATCH_AFTER:
            yield f"only {self.exact_match_after:.0%} are answered exactly, not over {MIN_EXACT_MATCH_AFTER:.0%}"
