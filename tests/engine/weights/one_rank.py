"""The program of one rank: import a Hugging Face folder, run a pack through it, train one step, export it again.

A test calls `main` in its own process for a world of one, or starts this file once for each of several ranks, with the
variables that torchrun sets and a JSON list of jobs: {"spec", "model", "export", "result", "port"}. A result holds the
logits [1, T, V], the loss per token [1, T], the gradient norm of the step and the answered call sites of megatron-core.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig, finalize_model_grads
from megatron.core.optimizer import OptimizerConfig, get_megatron_optimizer
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.pipeline_parallel import get_forward_backward_func
from megatron.core.transformer.module import MegatronModule
from megatron.core.utils import get_model_config
from torch import Tensor

from tests.engine.weights.hf_models import BOUNDS, pack
from tunedeck.architecture import read_architecture
from tunedeck.resolved import ResolvedSpec
from worker.engine.model import build_model
from worker.engine.platform import activate, cuda_on_cpu, init_parallel, shutdown_parallel
from worker.engine.weights import export_hf, load_hf


def main(spec: ResolvedSpec, model: Path, target: Path) -> dict[str, Any]:
    """Everything that the head of this file says; the result is whole on every rank."""
    platform = activate(spec.hardware)
    architecture = read_architecture(model)
    with platform.active():
        init_parallel(platform, spec.parallelism, spec.seed)
        try:
            chunks = build_model(architecture, spec, platform)
            load_hf(chunks, architecture, model)
            export_hf(chunks, architecture, model, target)
            return {
                "logits": _from_last_stage(_forward(chunks, with_labels=False))[..., : architecture.vocab_size],
                "loss": _from_last_stage(_forward(chunks, with_labels=True)),
                "grad_norm": _train_step(chunks, spec),
                "call_sites": _of_all_ranks(cuda_on_cpu.call_sites()),
            }
        finally:
            shutdown_parallel()


def _forward(chunks: list[MegatronModule], with_labels: bool) -> Tensor | None:
    """Loss per token, or logits gathered over tensor-parallel ranks; None on other than the last pipeline stage."""
    outputs: list[Tensor] = []

    def keep(output: Tensor) -> tuple[Tensor, Tensor, dict[str, Any]]:
        outputs.append(output.detach().float())
        return output.sum(), torch.tensor(output.numel()), {}

    _schedule(chunks, keep, with_labels, forward_only=True)
    return outputs[0] if outputs else None


def _train_step(chunks: list[MegatronModule], spec: ResolvedSpec) -> float:
    """One step as the engine does it: DDP, schedule, finalize_model_grads, optimizer. Returns the gradient norm."""
    config = get_model_config(chunks[0])
    config.finalize_model_grads_func = finalize_model_grads
    distributed = spec.parallelism.use_distributed_optimizer
    ddp_config = DistributedDataParallelConfig(grad_reduce_in_fp32=True, use_distributed_optimizer=distributed)
    wrapped = [DistributedDataParallel(config, ddp_config, chunk) for chunk in chunks]
    optimizer = get_megatron_optimizer(
        OptimizerConfig(
            lr=1e-3,
            use_distributed_optimizer=distributed,
            bf16=config.bf16,
            params_dtype=config.params_dtype,
        ),
        wrapped,
    )
    optimizer.zero_grad()
    _schedule(wrapped, lambda loss: (loss.sum(), torch.tensor(loss.numel()), {}), with_labels=True, forward_only=False)
    succeeded, grad_norm, _ = optimizer.step()
    assert succeeded
    return float(grad_norm)


def _schedule(chunks: list[MegatronModule], loss_func: Any, with_labels: bool, forward_only: bool) -> None:
    tokens_1T = pack()
    positions_1T = torch.cat([torch.arange(end - start) for start, end in pairwise(BOUNDS)]).unsqueeze(0)
    bounds = torch.tensor(BOUNDS, dtype=torch.int32)
    longest = max(end - start for start, end in pairwise(BOUNDS))

    def forward_step(batches: Iterator[Tensor], model: MegatronModule) -> tuple[Tensor, Any]:
        packed = PackedSeqParams("thd", bounds, bounds, max_seqlen_q=longest, max_seqlen_kv=longest)
        given = {"labels": next(batches)} if with_labels else {"runtime_gather_output": True}
        return model(tokens_1T, positions_1T, None, packed_seq_params=packed, **given), loss_func

    # An interleaved pipeline wants as many microbatches as it has stages; each chunk goes through all of them.
    num_microbatches = 1 if len(chunks) == 1 else parallel_state.get_pipeline_model_parallel_world_size()
    get_forward_backward_func()(
        forward_step_func=forward_step,
        data_iterator=[iter([tokens_1T.roll(-1, dims=1)] * num_microbatches) for _ in chunks],
        model=chunks,
        num_microbatches=num_microbatches,
        seq_length=BOUNDS[-1],
        micro_batch_size=1,
        forward_only=forward_only,
    )


def _from_last_stage(output: Tensor | None) -> Tensor:
    outputs = _of_all_ranks(output)
    return next(found for found in outputs if found is not None)


def _of_all_ranks(value: Any) -> list[Any]:
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    return values


if __name__ == "__main__":
    # Each job meets at a port of its own: the meeting point of the one before still holds what it left there.
    for job in json.loads(Path(sys.argv[1]).read_text()):
        os.environ["MASTER_PORT"] = str(job["port"])
        result = main(ResolvedSpec.model_validate(job["spec"]), Path(job["model"]), Path(job["export"]))
        if os.environ["RANK"] == "0":
            torch.save(result, job["result"])
