"""Watches one attempt as its events come in: a few numbers, kept as JSON beside the job, and what is wrong by them.

It sees events only. Silence, which is the absence of events, is silence.py's; rules.py says when something is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.health import parts, rules
from backend.health.alarm import Alarm
from backend.health.level import Level
from tunedeck.events import EvalEvent, Event, Metrics, StepEvent

_MUST_BE_NUMBERS = ("loss", "grad_norm")


@dataclass
class Watch:
    """`recent_*` are means of about the last ten steps, `last_t` is the engine's unix time at the last event."""

    loss: Level = field(default_factory=Level)
    throughput: Level = field(default_factory=Level)
    recent_throughput: Level = field(default_factory=Level)
    recent_utilization: Level = field(default_factory=Level)
    recent_data_share: Level = field(default_factory=Level)
    highest_loss: float = 0.0
    peak_memory_bytes: float = 0.0
    not_finite: Alarm = field(default_factory=Alarm)
    spike: Alarm = field(default_factory=Alarm)
    edge: Alarm = field(default_factory=Alarm)
    idle: Alarm = field(default_factory=Alarm)
    fell: Alarm = field(default_factory=Alarm)
    last_t: float = 0.0
    longest_gap_s: float = 0.0

    @classmethod
    def of(cls, kept: dict[str, Any]) -> Watch:
        """From what `kept` returned; {} is that of a new attempt. What another version kept begins anew."""
        watch = cls()
        for name, value in kept.items():
            own = vars(watch).get(name)
            if isinstance(own, Alarm | Level):
                setattr(watch, name, parts.of(type(own), value))
            elif isinstance(own, float):
                setattr(watch, name, float(value))
        return watch

    def kept(self) -> dict[str, Any]:
        return {name: value if isinstance(value, float) else parts.kept(value) for name, value in vars(self).items()}

    def apply(self, event: Event, capacity_bytes: int) -> None:
        """Take one event of the attempt, in order. `capacity_bytes` is what a rank may have of memory; 0: not known."""
        if isinstance(event, StepEvent):
            self._finite(event.step, event.t, [event.metrics.get(name, 0.0) for name in _MUST_BE_NUMBERS])
            self._loss(event)
            self._throughput(event)
            self._devices(event)
            self._memory(event, capacity_bytes)
        elif isinstance(event, EvalEvent):
            self._validation(event)
        if self.last_t:
            self.longest_gap_s = max(self.longest_gap_s, event.t - self.last_t)
        self.last_t = event.t

    def _finite(self, step: int, t: float, values: list[float | None]) -> None:
        bad = None in values
        self.not_finite.judge(step, t, bad=bad, good=not bad, begins_after=1, ends_after=rules.LOSS_RECOVERY_STEPS)

    def _validation(self, event: EvalEvent) -> None:
        if event.metrics.get("validation_loss", 0.0) is None:
            self._finite(event.step, event.t, [None])

    def _loss(self, event: StepEvent) -> None:
        loss = event.metrics.get("loss")
        if loss is None:
            return
        if not self.loss.is_known:
            self.loss.add(loss, rules.LOSS_WEIGHT)
            return
        level, above = self.loss, loss - self.loss.mean
        limit = max(rules.SPIKE_DEVIATIONS * level.deviation, rules.SPIKE_SHARE * abs(level.mean), rules.SPIKE_NATS)
        at_once = above > rules.SPIKE_AT_ONCE * limit
        self.spike.judge(
            event.step,
            event.t,
            bad=above > limit,
            good=above < rules.SPIKE_OVER * limit,
            begins_after=1 if at_once else rules.SPIKE_STEPS,
            ends_after=rules.LOSS_RECOVERY_STEPS,
        )
        if above <= limit and not self.spike.is_on:
            level.add(loss, rules.LOSS_WEIGHT)
            self.highest_loss = 0.0
        else:
            level.follow(loss, rules.LEFT_LEVEL_PACE * rules.LOSS_WEIGHT)
            self.highest_loss = max(self.highest_loss, loss)

    def _throughput(self, event: StepEvent) -> None:
        rate = event.metrics.get("tokens_per_s")
        if rate is None:
            return
        self.recent_throughput.add(rate, rules.RECENT_WEIGHT)
        level, recent = self.throughput, self.recent_throughput.mean
        has_fallen = (
            level.is_known
            and recent < (1 - rules.FELL_SHARE) * level.mean
            and recent < level.mean - rules.FELL_DEVIATIONS * level.deviation
        )
        self.fell.judge(
            event.step,
            event.t,
            bad=has_fallen,
            good=recent > (1 - rules.FELL_OVER_SHARE) * level.mean,
            begins_after=rules.FELL_STEPS,
            ends_after=rules.DEVICE_RECOVERY_STEPS,
        )
        if has_fallen or self.fell.is_on:
            level.follow(rate, rules.LEFT_LEVEL_PACE * rules.THROUGHPUT_WEIGHT)
        else:
            level.add(rate, rules.THROUGHPUT_WEIGHT)

    def _devices(self, event: StepEvent) -> None:
        busy = event.metrics.get("gpu_utilization")
        if busy is None:
            return
        self.recent_utilization.add(busy, rules.RECENT_WEIGHT)
        self.recent_data_share.add(_data_share(event.metrics), rules.RECENT_WEIGHT)
        recent = self.recent_utilization.mean
        self.idle.judge(
            event.step,
            event.t,
            bad=recent < rules.IDLE_SHARE,
            good=recent > rules.IDLE_OVER_SHARE,
            begins_after=rules.IDLE_STEPS,
            ends_after=rules.DEVICE_RECOVERY_STEPS,
        )

    def _memory(self, event: StepEvent, capacity_bytes: int) -> None:
        peak = event.metrics.get("peak_memory_bytes")
        if peak is None or not capacity_bytes:
            return
        self.peak_memory_bytes = peak
        bad = peak > rules.EDGE_SHARE * capacity_bytes
        self.edge.judge(
            event.step, event.t, bad=bad, good=not bad, begins_after=1, ends_after=rules.EDGE_RECOVERY_STEPS
        )


def _data_share(metrics: Metrics) -> float:
    """The part of the step that waited for data."""
    waited, whole = metrics.get("data_time_s") or 0.0, metrics.get("step_time_s") or 0.0
    return waited / whole if whole > 0 else 0.0
