"""What a checkpoint holds: model, optimizer, schedule, random numbers, step and position in the data.

Megatron-core says where each tensor belongs (`sharded_state_dict`), in the `fully_reshardable` form, the only one of
0.16.1 that loads under another tensor-parallel size; the default form fails to load at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from megatron.core import parallel_state, tensor_parallel
from megatron.core.dist_checkpointing.dict_utils import nested_values
from megatron.core.dist_checkpointing.mapping import (
    ShardedObject,
    ShardedTensor,
    ShardedTensorFactory,
    is_main_replica,
)
from megatron.core.dist_checkpointing.utils import extract_nonpersistent, extract_sharded_base
from megatron.core.transformer.module import Float16Module, MegatronModule
from torch import Tensor

from worker.engine.checkpoint.optimizer_shards import optimizer_sources, settings
from worker.engine.checkpoint.plan import Description, SmallObject, Source
from worker.engine.checkpoint.shards import shards_of
from worker.engine.checkpoint.state import Position, TrainState

# Experts have an optimizer of their own; its states must not be named after its number, which depends on the layout.
METADATA = {"distrib_optim_sharding_type": "fully_reshardable", "chained_optim_avoid_prefix": True}
_EXTRA_STATE = "._extra_state"


def describe(state: TrainState) -> Description:
    """What this rank writes of `state`. Without the distributed optimizer, megatron-core describes its state anew for
    each checkpoint; ranks that are replicas of others write nothing."""
    models = sharded_models(state)
    entries = [entry for model in models.values() for entry in nested_values(model)]
    living = {id(tensor) for _, model in state.models for tensor in (*model.parameters(), *model.buffers())}
    sources = list(_tensor_sources(entries, of_model=True))
    objects = [*_model_objects(state, models), *_random_numbers()]
    if state.is_distributed:
        entry_of = {entry.data: entry for entry in entries if isinstance(entry, ShardedTensor | ShardedTensorFactory)}
        for optimizer in state.optimizers:
            if not optimizer.is_stub_optimizer:
                sources += optimizer_sources(optimizer, entry_of)
        can_be_kept = all(id(tensor) in living for tensor in entry_of)
        return Description(tuple(sources), tuple(objects), can_be_kept, {})
    asked = state.optimizer.sharded_state_dict(models, metadata=dict(METADATA))
    sharded, rest = extract_sharded_base(extract_nonpersistent(asked)[1])
    sources += _tensor_sources(nested_values(sharded), of_model=False)
    return Description(tuple(sources), tuple(objects), can_be_kept=False, settings=rest)


def common_state(state: TrainState, position: Position, description: Description) -> dict[str, Any]:
    """What is the same on all ranks, as it is now: numbers and names, no tensors."""
    return {
        "optimizer": _settings(state) if state.is_distributed else description.settings,
        "scheduler": state.scheduler.state_dict(),
        "position": asdict(position),
        "layout": layout(),
        "use_distributed_optimizer": state.is_distributed,
        "num_optimizers": len(state.optimizers),
        "content_metadata": METADATA,
    }


def sharded_models(state: TrainState) -> dict[str, Any]:
    return {name: model.sharded_state_dict(metadata=dict(METADATA)) for name, model in state.models}


def layout() -> dict[str, int]:
    return {
        "tensor_model_parallel_size": parallel_state.get_tensor_model_parallel_world_size(),
        "pipeline_model_parallel_size": parallel_state.get_pipeline_model_parallel_world_size(),
    }


def sharded_rng() -> ShardedObject:
    """The random numbers of this rank: one object per pipeline and tensor rank, the same on all others."""
    sizes = layout()
    return ShardedObject(
        "rng",
        _rng_states(),
        (sizes["pipeline_model_parallel_size"], sizes["tensor_model_parallel_size"]),
        (parallel_state.get_pipeline_model_parallel_rank(), parallel_state.get_tensor_model_parallel_rank()),
        replica_id=parallel_state.get_data_parallel_rank(with_context_parallel=True),
    )


def _rng_states() -> dict[str, Any]:
    states = {"torch": torch.get_rng_state(), "tracker": tensor_parallel.get_cuda_rng_tracker().get_states()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _settings(state: TrainState) -> dict[Any, Any]:
    parts = state.optimizers
    if len(parts) == 1:
        return settings(parts[0])
    state.optimizer._synchronize_steps()
    return {index: settings(part) for index, part in enumerate(parts)}


def _tensor_sources(entries: Iterable[Any], *, of_model: bool) -> Iterator[Source]:
    for entry in entries:
        if isinstance(entry, ShardedTensor | ShardedTensorFactory) and is_main_replica(entry.replica_id):
            tensor = entry.data
            # Weights in FP8 are of a class of their own, whose parts forward and backward change among themselves.
            is_plain = type(tensor) in (Tensor, torch.nn.Parameter)
            # A forward pass may change what a model holds besides parameters.
            is_steady = isinstance(tensor, torch.nn.Parameter) or not of_model
            yield Source(
                partial(_value, tensor),
                tensor.dtype,
                tensor.numel(),
                tuple(shards_of(entry)),
                may_wait=is_plain and is_steady,
                is_made=not is_plain,
            )


def _value(tensor: Tensor) -> Tensor:
    value: Any = tensor.detach()
    return value if type(value) is Tensor else value.dequantize()


def _model_objects(state: TrainState, models: dict[str, Any]) -> Iterator[SmallObject]:
    """What modules say of themselves: nothing, or for FP8 with delayed scaling, scales that change in each step."""
    config = state.chunks[0].config
    is_changing = bool(config.fp8) and str(config.fp8_recipe) == "delayed"
    modules = dict(state.models)
    for name, sharded in models.items():
        for key, entry in sharded.items():
            if isinstance(entry, ShardedObject) and is_main_replica(entry.replica_id):
                read = _reader(modules[name], key) if is_changing else partial(_kept, entry.data)
                yield SmallObject(entry.unique_key, read)


def _reader(model: MegatronModule, key: str) -> Callable[[], Any]:
    while isinstance(model, Float16Module):  # its names are those of the model that it wraps
        model = model.module
    return model.get_submodule(key.removesuffix(_EXTRA_STATE)).get_extra_state


def _kept(value: Any) -> Any:
    return value


def _random_numbers() -> Iterator[SmallObject]:
    entry = sharded_rng()
    if is_main_replica(entry.replica_id):
        yield SmallObject(entry.unique_key, _rng_states)
