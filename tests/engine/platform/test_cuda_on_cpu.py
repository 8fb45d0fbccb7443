from __future__ import annotations

import pytest
import torch

from worker.engine.platform import cuda_on_cpu
from worker.engine.platform.cuda_on_cpu import CudaMeansCpu

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="the layer exists for machines without CUDA")


@pytest.fixture(autouse=True)
def installed() -> None:
    cuda_on_cpu.install()


def test_tensors_asked_for_on_cuda_are_made_on_the_cpu() -> None:
    with CudaMeansCpu():
        tensors = [
            torch.zeros(2, device="cuda"),
            torch.tensor([1.0], device=torch.device("cuda", 0), pin_memory=True),
            torch.empty(2, device=torch.cuda.current_device()),
            torch.ones(2).cuda(),
            torch.ones(2).to("cuda"),
            torch.ones(2).to(device="cuda", dtype=torch.bfloat16),
        ]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}


def test_cuda_hands_back_the_same_memory_as_on_a_gpu() -> None:
    tensor = torch.zeros(2)
    with CudaMeansCpu():
        tensor.cuda().fill_(1.0)
    assert tensor.tolist() == [1.0, 1.0]


def test_the_type_names_cuda_and_a_conversion_still_converts() -> None:
    with CudaMeansCpu():
        assert torch.zeros(1).type() == "torch.cuda.FloatTensor"
        assert torch.zeros(1).type(torch.bfloat16).dtype is torch.bfloat16


def test_outside_the_mode_cuda_is_still_refused() -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        torch.zeros(1, device="cuda")


def test_an_unknown_device_is_left_to_pytorch() -> None:
    with CudaMeansCpu():
        assert torch.zeros(1, device="meta").device.type == "meta"


def test_streams_and_events_wait_for_nothing() -> None:
    stream, event = torch.cuda.Stream(), torch.cuda.Event()
    with torch.cuda.stream(stream):
        stream.wait_stream(torch.cuda.current_stream())
        event.record()
        torch.cuda.synchronize()


def test_the_cuda_generator_is_that_of_the_cpu() -> None:
    torch.cuda.manual_seed(11)
    state = torch.cuda.get_rng_state()
    drawn = torch.rand(3)
    torch.cuda.set_rng_state(state)
    assert torch.equal(torch.rand(3), drawn)


def test_it_is_not_installed_where_cuda_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(RuntimeError, match="hide the GPU"):
        cuda_on_cpu.install()
