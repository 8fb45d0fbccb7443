"""What is wrong with a run. backend/health finds it; pages, REST, command line and alerts say it in the same words."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tunedeck.component import Component

ConditionCode = Literal["loss_not_finite", "silent", "loss_spike", "memory_near_edge", "gpu_idle", "throughput_fell"]


class Condition(Component):
    """Something that is wrong with a run now. backend/health/rules.py says when each begins and ends."""

    code: ConditionCode
    sentence: str
    step: int = Field(description="at which it began")
    since: float
