"""The norm and the clipping of worker.engine.training.clipping beside Megatron's own functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from megatron.core.optimizer import clip_grads

from tests.engine.tiny import resolved_spec
from worker.engine.platform import activate, init_parallel, shutdown_parallel
from worker.engine.training import clipping


@pytest.fixture
def world_of_one(tiny_qwen3: Path, sums: Path) -> Iterator[None]:
    spec = resolved_spec(tiny_qwen3, sums)
    platform = activate(spec.hardware)
    with platform.active():
        init_parallel(platform, spec.parallelism, spec.seed)
        yield
        shutdown_parallel()


def parameters(scale: float) -> list[torch.nn.Parameter]:
    generator = torch.Generator().manual_seed(1)
    made = [torch.nn.Parameter(torch.zeros(shape)) for shape in ((64, 32), (32,), (7, 5, 3))]
    for parameter in made:
        parameter.grad = torch.randn(parameter.shape, generator=generator) * scale
    return [*made, torch.nn.Parameter(torch.zeros(4))]  # the last one has no gradient


def gradients(of: list[torch.nn.Parameter]) -> list[torch.Tensor]:
    return [parameter.grad for parameter in of if parameter.grad is not None]


@pytest.mark.parametrize("scale", [1e-4, 1.0, 100.0])
def test_clipping_on_the_device_is_megatrons(world_of_one: None, scale: float) -> None:
    ours, theirs = parameters(scale), parameters(scale)
    norm = clipping.grad_norm(gradients(ours))
    expected = clip_grads.get_grad_norm_fp32(gradients(theirs))
    assert float(norm) == pytest.approx(expected, rel=1e-6)
    clipping.clip(ours, 1.0, norm)
    clip_grads.clip_grad_by_total_norm_fp32(theirs, 1.0, expected)
    for our_gradient, their_gradient in zip(gradients(ours), gradients(theirs), strict=True):
        torch.testing.assert_close(our_gradient, their_gradient, rtol=1e-6, atol=0.0)
    if scale == 1e-4:
        assert all(torch.equal(*pair) for pair in zip(gradients(ours), gradients(parameters(scale)), strict=True))


def test_gradients_kept_beside_the_parameters_are_clipped_in_their_own_type(world_of_one: None) -> None:
    clipped = parameters(10.0)
    grads = [gradient.bfloat16() for gradient in gradients(clipped)]
    for parameter, gradient in zip(clipped, grads, strict=False):
        parameter.grad = None
        setattr(parameter, "decoupled_grad", gradient)  # noqa: B010
    clipping.clip(clipped, 1.0, clipping.grad_norm(grads), use_decoupled_grad=True)
    assert {gradient.dtype for gradient in grads} == {torch.bfloat16}
    assert float(clipping.grad_norm(grads)) == pytest.approx(1.0, rel=0.01)


def test_a_rank_without_gradients_has_a_norm_of_zero(world_of_one: None) -> None:
    assert float(clipping.grad_norm([])) == 0.0
