"""The peer that is nearest to us: a bare megatron-core loop, as its own examples write it.

The same layers, documents and packing; Megatron's own model, schedule, optimizer and fused cross entropy over all
logits; no events, no readings, no look for a stop request. What our engine costs or brings is the difference.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from megatron.core.distributed import finalize_model_grads
from megatron.core.optimizer import clip_grads, optimizer
from megatron.core.pipeline_parallel import get_forward_backward_func

from bench.engine.jobs import Workload, job_of
from bench.engine.levers import pulled
from bench.engine.ours import layout_text, prepared
from bench.engine.row import Measured, Step
from tunedeck.run_folder import RunFolder
from worker.engine.data import Batch, Microbatch
from worker.engine.model.language_model import TrainedRows
from worker.engine.training.data_parallel import zero_gradients
from worker.engine.training.setup import Setup

# As the figures in docs/benchmarks.md of bare loops were made: rope fusion on, no fused weight gradient.
LEVERS = ["whole-logits", "no-wgrad-fusion"]


def measure_bare(work: Workload, precision: str, levers: list[str], root: Path) -> Measured:
    """`levers` come on top of LEVERS."""
    spec = job_of(work, precision, levers)
    folder = RunFolder(root)
    folder.stop_request.parent.mkdir(parents=True, exist_ok=True)
    with pulled([*LEVERS, *levers]), prepared(spec, folder) as (setup, _), _megatrons_own(setup):
        steps = [_step(setup, batch) for batch in _batches(setup, spec.batching.train_iters)]
        peak = setup.platform.memory().peak_bytes
    return Measured(steps[work.num_warm_up :], peak, layout_text(spec))


@contextmanager
def _megatrons_own(setup: Setup) -> Iterator[None]:
    """What our engine keeps on the device is read on the host again: the number of trained tokens, the norm."""
    for chunk in setup.state.chunks:
        chunk.config.finalize_model_grads_func = finalize_model_grads
    with (
        patch.object(optimizer, "get_grad_norm_fp32", clip_grads.get_grad_norm_fp32),
        patch.object(optimizer, "clip_grad_by_total_norm_fp32", clip_grads.clip_grad_by_total_norm_fp32),
    ):
        yield


def _batches(setup: Setup, number: int) -> Iterator[Batch]:
    stream = setup.data.stream(0)
    try:
        for _ in range(number):
            yield stream.next()
    finally:
        stream.close()


def _step(setup: Setup, batch: Batch) -> Step:
    start = time.perf_counter()
    state, platform = setup.state, setup.platform
    zero_gradients(state.chunks, state.optimizer)
    get_forward_backward_func()(
        forward_step_func=_forward,
        data_iterator=(microbatch.to(platform.device) for microbatch in batch.microbatches),
        model=state.chunks,
        num_microbatches=len(batch.microbatches),
        seq_length=max(microbatch.tokens_1T.shape[1] for microbatch in batch.microbatches),
        micro_batch_size=1,
        forward_only=False,
    )
    state.optimizer.step()
    state.scheduler.step(1)
    platform.synchronize()
    # It makes the logits of all tokens, and is credited with them.
    work = replace(batch.work, num_logits=batch.num_tokens)
    return Step(time.perf_counter() - start, work, batch.num_padded_tokens)


def _forward(microbatches: Iterator[Microbatch], model: Any) -> tuple[torch.Tensor, Any]:
    microbatch = next(microbatches)
    output = model(
        input_ids=microbatch.tokens_1T,
        position_ids=microbatch.position_ids_1T,
        attention_mask=None,
        labels=microbatch.labels_1T,
        packed_seq_params=microbatch.packed_seq_params(),
        loss_mask=TrainedRows(microbatch.trained_N, microbatch.loss_mask_1T[0].index_select(0, microbatch.trained_N)),
    )
    return output, partial(_loss, microbatch)


def _loss(microbatch: Microbatch, loss_sum: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, dict[str, Any]]:
    num_tokens = torch.tensor(microbatch.num_trained_tokens, dtype=torch.int, device=loss_sum.device)
    return loss_sum, num_tokens, {}
