"""Start and end of the process groups: torch.distributed, Megatron's parallel state and its random number tracker."""

from __future__ import annotations

import os
from datetime import timedelta

import torch.distributed as dist
from megatron.core import parallel_state, tensor_parallel
from torch.distributed.rendezvous import rendezvous

from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedParallelism
from tunedeck.run_folder import STORE_ADDRESS_VARIABLE, STORE_VARIABLE
from worker.engine.platform.machine import Platform

# gloo's and NCCL's own time-out is the last resort behind the supervisor's watchdog, and also covers the start, where
# one rank reads and tokenises the data set for all.
MIN_TIMEOUT_MINUTES = 60.0
TIMES_WATCHDOG = 2.0


def init_parallel(platform: Platform, parallelism: ResolvedParallelism, seed: int) -> None:
    """Join the ranks that torchrun started, or be a world of one, and lay them out as `parallelism` says.

    Must run inside `platform.active()`. Raises SpecInvalid where the number of ranks does not fit the layout.
    """
    timeout = timedelta(minutes=max(MIN_TIMEOUT_MINUTES, TIMES_WATCHDOG * parallelism.distributed_timeout_minutes))
    _init_process_group(platform, timeout)
    try:
        _check_world(parallelism, dist.get_world_size())
    except SpecInvalid:
        shutdown_parallel()
        raise
    num_chunks = parallelism.virtual_pipeline_model_parallel_size
    parallel_state.initialize_model_parallel(
        tensor_model_parallel_size=parallelism.tensor_model_parallel_size,
        pipeline_model_parallel_size=parallelism.pipeline_model_parallel_size,
        virtual_pipeline_model_parallel_size=num_chunks if num_chunks > 1 else None,
        context_parallel_size=parallelism.context_parallel_size,
        expert_model_parallel_size=parallelism.expert_model_parallel_size,
        expert_tensor_parallel_size=parallelism.expert_tensor_parallel_size,
        distributed_timeout_minutes=int(timeout.total_seconds() // 60),
    )
    tensor_parallel.model_parallel_cuda_manual_seed(seed)


def shutdown_parallel() -> None:
    """Leave all process groups. Safe to call when there are none."""
    if parallel_state.is_initialized():
        parallel_state.destroy_model_parallel()
    if dist.is_initialized():
        dist.destroy_process_group()


def _check_world(parallelism: ResolvedParallelism, world_size: int) -> None:
    """Dense layers and experts are laid out over the same ranks, each in its own way."""
    pipeline = parallelism.pipeline_model_parallel_size
    layouts = {
        "tensor × context × pipeline": (
            parallelism.tensor_model_parallel_size * parallelism.context_parallel_size * pipeline
        ),
        "expert tensor × expert × pipeline": (
            parallelism.expert_tensor_parallel_size * parallelism.expert_model_parallel_size * pipeline
        ),
    }
    for name, ranks in layouts.items():
        if world_size % ranks:
            raise SpecInvalid.at(
                "parallelism",
                ranks,
                f"{name} parallelism needs a multiple of {ranks} ranks, but there are {world_size}",
                "change resources.num_devices or the parallel sizes",
            )


def _init_process_group(platform: Platform, timeout: timedelta) -> None:
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    dist.init_process_group(
        platform.backend,
        store=_store(rank, world_size, timeout),
        rank=rank,
        world_size=world_size,
        timeout=timeout,
        device_id=platform.device if platform.backend == "nccl" else None,
    )


def _store(rank: int, world_size: int, timeout: timedelta) -> dist.Store:  # type: ignore[name-defined]
    """Where the ranks find each other: a file or a store if the launcher names one, else the port of torchrun."""
    if world_size == 1:
        return dist.HashStore()  # type: ignore[attr-defined]
    if path := os.environ.get(STORE_VARIABLE):
        return dist.FileStore(path, world_size)  # type: ignore[attr-defined]
    if address := os.environ.get(STORE_ADDRESS_VARIABLE):
        host, port = address.rsplit(":", 1)
        store = dist.TCPStore(host, int(port), world_size, is_master=False, timeout=timeout)  # type: ignore[attr-defined]
        return dist.PrefixStore("ranks", store)  # type: ignore[attr-defined]  # torchrun's own keys are in it, too
    store, _, _ = next(rendezvous("env://", rank, world_size, timeout=timeout))
    return store
