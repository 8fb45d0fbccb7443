"""The proof that a run which asked for FP8 computes in FP8, or its end.

Megatron-core takes `fp8` without Transformer Engine and then computes in full precision without a word; other stacks do
the same where a recipe meets a card that lacks it. So after the first step every rank asks its own modules, rank 0
records the kernels of one step, and a run without FP8 fails. What was found is an event and an artifact.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict

import torch
from torch.nn import Module
from torch.profiler import ProfilerActivity

from tunedeck.errors import Fp8NotEngaged
from tunedeck.resolved import ResolvedPrecision
from worker.engine.attempt import Attempt
from worker.engine.fp8.kernels import MatrixKernels, sort_kernels
from worker.engine.fp8.modules import MatrixModule, matrix_modules, recipes_in_full

_MEND = "leave fp8_format out, or look in engine.log for what Transformer Engine says of this card and recipe"


class Fp8Proof:
    """For an FP8 run: `step_begins` and `step_ended` frame the one step that is looked at. Does nothing otherwise."""

    def __init__(self, attempt: Attempt, chunks: Iterable[Module]) -> None:
        self._attempt = attempt
        self._chunks = list(chunks)
        self.is_wanted = attempt.spec.precision.fp8_format != "none"
        self._profiler: torch.profiler.profile | None = None

    def step_begins(self, is_profiled: bool) -> None:
        """`is_profiled`: another profiler records this step, and there can be only one."""
        if self.is_wanted and not is_profiled and self._attempt.log and torch.cuda.is_available():
            self._profiler = torch.profiler.profile(activities=[ProfilerActivity.CUDA])
            self._profiler.start()

    def step_ended(self, step: int) -> None:
        """Raises Fp8NotEngaged. Where the step was profiled by another, the modules alone are the proof."""
        if not self.is_wanted:
            return
        self.is_wanted = False
        modules, kernels = matrix_modules(self._chunks), self._stop()
        if self._attempt.log:
            self._record(step, modules, kernels)
        check_engaged(modules, kernels, self._attempt.spec.precision)

    def _stop(self) -> MatrixKernels:
        profiler, self._profiler = self._profiler, None
        if profiler is None:
            return sort_kernels({})
        profiler.stop()
        on_device = (event for event in profiler.events() if event.device_type.name == "CUDA")
        return sort_kernels(Counter(event.name for event in on_device))

    def _record(self, step: int, modules: list[MatrixModule], kernels: MatrixKernels) -> None:
        assert self._attempt.log is not None
        path = self._attempt.folder.fp8
        path.parent.mkdir(parents=True, exist_ok=True)
        found = {
            "recipes": recipes_in_full(self._chunks),
            "modules": [asdict(module) for module in modules],
            **asdict(kernels),
        }
        path.write_text(json.dumps(found, indent=1))
        self._attempt.log.fp8(
            step,
            recipes=dict(Counter(module.recipe for module in modules if module.recipe)),
            num_modules=len(modules),
            num_fp8_modules=sum(bool(module.recipe) for module in modules),
            num_fp8_weights=sum(module.has_fp8_weights for module in modules),
            num_fp8_kernels=sum(kernels.fp8.values()),
            num_wide_kernels=sum(kernels.wide.values()),
            num_unknown_kernels=sum(kernels.unknown.values()),
            path=str(path.relative_to(self._attempt.folder.root)),
        )


def check_engaged(modules: list[MatrixModule], kernels: MatrixKernels, asked: ResolvedPrecision) -> None:
    """Raise Fp8NotEngaged where what was asked for is not what was computed.

    The kernels decide only where every name was understood: a new version of cuBLAS may call them otherwise.
    """
    wish = f"FP8 ({asked.fp8_format}, {asked.fp8_recipe}) was asked for"
    if not any(module.recipe for module in modules):
        raise Fp8NotEngaged(f"{wish}, and none of {len(modules)} matrix modules computed in it", _MEND)
    if asked.fp8_param_gather and not any(module.has_fp8_weights for module in modules):
        raise Fp8NotEngaged(f"{wish} with fp8_param_gather, and no module holds FP8 weights", _MEND)
    if kernels.wide and not kernels.fp8 and not kernels.unknown:
        example = min(kernels.wide)
        raise Fp8NotEngaged(
            f"{wish}, and all {sum(kernels.wide.values())} matrix products of a step ran in other types ({example})",
            _MEND,
        )
