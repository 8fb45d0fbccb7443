from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from megatron.core import parallel_state

from tests.engine.model.specs import layout_spec
from tunedeck.errors import SpecInvalid
from worker.engine.platform import Platform, activate, init_parallel, shutdown_parallel


@pytest.fixture
def platform() -> Platform:
    return activate(layout_spec().hardware)


def test_a_cpu_talks_gloo_and_uses_the_threads_it_is_given(platform: Platform) -> None:
    assert (platform.device, platform.backend) == (torch.device("cpu"), "gloo")
    assert torch.get_num_threads() == 1


def test_peak_memory_is_never_below_what_was_in_use(platform: Platform) -> None:
    block = torch.ones(8 << 20)
    current = platform.memory().used_bytes
    del block
    memory = platform.memory()
    assert 32 << 20 < current <= memory.peak_bytes + (1 << 20)
    assert memory.reserved_bytes is None


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(SpecInvalid, match="PyTorch sees 0"):
        activate(layout_spec(device="cuda").hardware)


def test_a_process_without_torchrun_is_a_world_of_one(platform: Platform) -> None:
    with platform.active():
        init_parallel(platform, layout_spec().parallelism, seed=1)
        try:
            assert dist.get_world_size() == parallel_state.get_data_parallel_world_size() == 1
        finally:
            shutdown_parallel()
    assert not dist.is_initialized()


@pytest.mark.parametrize(
    "sizes",
    [
        {"tensor_model_parallel_size": 2},
        {"context_parallel_size": 2},
        {"expert_model_parallel_size": 2},
        {"expert_tensor_parallel_size": 2},
    ],
)
def test_ranks_that_do_not_fit_the_layout_are_refused(sizes: dict[str, int], platform: Platform) -> None:
    parallelism = layout_spec(parallelism=sizes).parallelism
    with platform.active(), pytest.raises(SpecInvalid, match="multiple of 2 ranks, but there are 1"):
        init_parallel(platform, parallelism, seed=1)
    assert not dist.is_initialized()
