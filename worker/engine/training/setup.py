"""Everything that a run needs before its first step, built once and in order: data, model, optimizer, position.

The data comes first: most mistakes are in it, and it is cheaper to read than a model.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from megatron.core import parallel_state
from megatron.core.transformer.module import MegatronModule

from tunedeck.architecture import Architecture, read_architecture
from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedSpec
from worker.engine.attempt import Attempt
from worker.engine.checkpoint.load import load
from worker.engine.checkpoint.state import Position, TrainState
from worker.engine.fp8 import use_fp32_block_scales
from worker.engine.model import build_model
from worker.engine.platform import Platform
from worker.engine.training.data_parallel import wrap_ddp
from worker.engine.training.data_source import DataSource, open_data
from worker.engine.training.optimizer import build_optimizer
from worker.engine.weights import load_hf

LoadWeights = Callable[[list[MegatronModule], Architecture, Path], None]


@dataclass(frozen=True)
class Setup:
    """A run, ready for the step after `start.step`."""

    attempt: Attempt
    platform: Platform
    architecture: Architecture
    data: DataSource
    state: TrainState
    start: Position
    facts: dict[str, Any]


def prepare(attempt: Attempt, platform: Platform, load_weights: LoadWeights = load_hf) -> Setup:
    """Build a run. Collective; the process groups must exist. Raises the BadInput errors of what it reads.

    `load_weights` fills the chunks of this rank; what is measured with random weights brings its own.
    """
    spec = attempt.spec
    _check_world(spec)
    attempt.phase("preparing")
    architecture = read_architecture(Path(spec.model.path))
    data = open_data(attempt)
    attempt.phase("loading")
    if spec.precision.fp8_format != "none" and spec.precision.fp8_recipe == "blockwise":
        use_fp32_block_scales()
    chunks = build_model(architecture, spec, platform)
    if attempt.resume_from is None:
        load_weights(chunks, architecture, Path(spec.model.path))
    wrapped = wrap_ddp(chunks, spec)
    state = TrainState(wrapped, *build_optimizer(spec, wrapped, platform))
    start = Position(0, 0, spec.data.content_sha256)
    if attempt.resume_from is not None:
        start = load(state, attempt.resume_from, spec.data.content_sha256)
    return Setup(attempt, platform, architecture, data, state, start, {**data.facts, **_facts(state, platform)})


def _check_world(spec: ResolvedSpec) -> None:
    world_size = torch.distributed.get_world_size()
    if world_size != spec.hardware.num_devices:
        what = f"the spec is for {spec.hardware.num_devices} processes, but {world_size} were started"
        mend = f"start it with torchrun --nproc-per-node {spec.hardware.num_devices}"
        raise SpecInvalid.at("hardware.num_devices", spec.hardware.num_devices, what, mend)


def _facts(state: TrainState, platform: Platform) -> dict[str, Any]:
    """What is really computed, as Megatron's own configuration says, not as the spec asked."""
    config = state.chunks[0].config
    num_parameters = sum(parameter.numel() for chunk in state.chunks for parameter in chunk.parameters())
    return {
        "device": str(platform.device.type),
        "backend": platform.backend,
        "num_ranks": torch.distributed.get_world_size(),
        "data_parallel_size": parallel_state.get_data_parallel_world_size(),
        "num_parameters_per_rank": num_parameters,
        "params_dtype": str(config.params_dtype).removeprefix("torch."),
        "grads_dtype": str(state.chunks[0].buffers[0].grad_dtype).removeprefix("torch."),
        "recompute": config.recompute_granularity or "none",
        "fp8": str(config.fp8_recipe) if config.fp8 else "none",
        "torch": torch.__version__,
        "megatron_core": version("megatron-core"),
        "num_threads": torch.get_num_threads(),
        "pid": os.getpid(),
    }
