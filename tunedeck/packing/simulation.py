"""What packing would do to a data set under a spec, told before the start: steps, microbatches, padding, imbalance.

It runs the packer of the engine on the lengths of the samples, in the order of the engine. A formula was rejected: what
first-fit and balancing leave over depends on the lengths in ways that no formula knows.
"""

from __future__ import annotations

from collections.abc import Sequence

from tunedeck.component import Component
from tunedeck.packing.layout import Layout, layout_of
from tunedeck.packing.order import EpochOrder
from tunedeck.packing.plan import Plan, pack, padded_tokens
from tunedeck.resolved import ResolvedSpec


class PackingForecast(Component):
    """Over the simulated steps: `num_microbatches` are those of one rank in one step. `imbalance` is the tokens of the
    fullest rank over the mean of the ranks, averaged over the steps; 1.0 is even."""

    num_samples: int
    steps_per_epoch: int
    num_simulated_steps: int
    mean_num_microbatches: float
    min_num_microbatches: int
    max_num_microbatches: int
    mean_tokens_per_step: float
    padding_share: float
    imbalance: float
    num_overlong_samples: int


def simulate(lengths: Sequence[int], spec: ResolvedSpec, *, max_steps: int = 200) -> PackingForecast:
    """The forecast for training samples of these lengths, over the first epoch or its first `max_steps` steps.

    `lengths` are those of the samples that are trained, without the held-out ones, and must not be empty.
    """
    layout, batch_size = layout_of(spec), spec.batching.global_batch_size
    order = EpochOrder(tuple(range(len(lengths))), spec.seed, shuffle=spec.batching.rollout_shuffle)
    steps_per_epoch = len(lengths) // batch_size
    num_steps = max(1, min(steps_per_epoch, max_steps))
    plans = [
        _Packed.of([lengths[index] for index in order.take(first, batch_size)], layout)
        for first in range(0, num_steps * batch_size, batch_size)
    ]
    counts = [plan.num_microbatches for plan in plans]
    num_tokens = sum(plan.num_tokens for plan in plans)
    num_padded = sum(plan.num_padded_tokens for plan in plans)
    return PackingForecast(
        num_samples=len(lengths),
        steps_per_epoch=steps_per_epoch,
        num_simulated_steps=num_steps,
        mean_num_microbatches=sum(counts) / num_steps,
        min_num_microbatches=min(counts),
        max_num_microbatches=max(counts),
        mean_tokens_per_step=num_tokens / num_steps,
        padding_share=num_padded / (num_tokens + num_padded),
        imbalance=sum(plan.imbalance for plan in plans) / num_steps,
        num_overlong_samples=sum(length > layout.capacity for length in lengths),
    )


class _Packed:
    """The figures of one step's plan."""

    def __init__(self, plan: Plan, lengths: Sequence[int], layout: Layout) -> None:
        ranks = [sum(lengths[position] for bin_ in rank for position in bin_) for rank in plan]
        self.num_microbatches = len(plan[0])
        self.num_tokens = sum(ranks)
        self.num_padded_tokens = padded_tokens(plan, lengths, layout) - self.num_tokens
        self.imbalance = max(ranks) * len(ranks) / self.num_tokens

    @classmethod
    def of(cls, lengths: Sequence[int], layout: Layout) -> _Packed:
        return cls(pack(lengths, layout), lengths, layout)
