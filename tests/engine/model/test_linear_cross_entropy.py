"""Loss and gradients of the joined output layer against torch's own cross entropy over all logits at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tunedeck.memory import activations
from worker.engine.model import linear_cross_entropy as module
from worker.engine.model.linear_cross_entropy import linear_cross_entropy, rows_per_chunk

NUM_TOKENS, HIDDEN, VOCABULARY = 300, 24, 50


class OneChunkAtATime:
    """torch's cross entropy, which remembers the most logits that it was given at once."""

    most_rows = 0

    def __call__(self, labels_1C: Tensor, logits_C1V: Tensor) -> Tensor:
        self.most_rows = max(self.most_rows, logits_C1V.shape[0])
        return cross_entropy(logits_C1V[:, 0], labels_1C[0], reduction="none").unsqueeze(0)


@pytest.fixture
def tensors() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """hidden, weight, labels and unequal loss weights."""
    torch.manual_seed(3)
    hidden_NH = torch.randn(NUM_TOKENS, HIDDEN, requires_grad=True)
    weight_VH = torch.randn(VOCABULARY, HIDDEN, requires_grad=True)
    return hidden_NH, weight_VH, torch.randint(0, VOCABULARY, (NUM_TOKENS,)), torch.rand(NUM_TOKENS) * 2


def expected(
    hidden_NH: Tensor, weight_VH: Tensor, labels_N: Tensor, weights_N: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    loss = (cross_entropy(hidden_NH @ weight_VH.t(), labels_N, reduction="none") * weights_N).sum()
    return loss.detach(), *torch.autograd.grad(loss, (hidden_NH, weight_VH))


@pytest.mark.parametrize("logits_per_chunk", [2**28, 128 * VOCABULARY])
def test_loss_and_gradients_are_those_of_all_logits_at_once(
    tensors: tuple[Tensor, Tensor, Tensor, Tensor], logits_per_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOGITS_PER_CHUNK", logits_per_chunk)
    hidden_NH, weight_VH, *rest = tensors
    spy = OneChunkAtATime()
    loss = linear_cross_entropy(hidden_NH, weight_VH, *rest, spy)
    grads = torch.autograd.grad(loss * 0.5, (hidden_NH, weight_VH))
    want_loss, *want_grads = expected(*tensors)
    torch.testing.assert_close(loss.detach(), want_loss, rtol=1e-5, atol=1e-4)
    for grad, want in zip(grads, want_grads, strict=True):
        torch.testing.assert_close(grad, want * 0.5, rtol=1e-4, atol=1e-5)
    assert spy.most_rows == (NUM_TOKENS if logits_per_chunk == 2**28 else 128)


def test_the_weight_gradient_is_added_to_megatrons_buffer_and_told_so(
    tensors: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    hidden_NH, weight_VH, *rest = tensors
    weight_VH.main_grad = torch.full_like(weight_VH, 2.0)
    linear_cross_entropy(hidden_NH, weight_VH, *rest, OneChunkAtATime()).backward()
    torch.testing.assert_close(weight_VH.main_grad, expected(*tensors)[2] + 2.0, rtol=1e-4, atol=1e-4)
    assert weight_VH.grad_added_to_main_grad
    assert not weight_VH.grad.any()


def test_a_scaled_loss_is_refused_where_the_weight_gradient_is_already_added(
    tensors: tuple[Tensor, Tensor, Tensor, Tensor],
) -> None:
    hidden_NH, weight_VH, *rest = tensors
    weight_VH.main_grad = torch.zeros_like(weight_VH)
    loss = linear_cross_entropy(hidden_NH, weight_VH, *rest, OneChunkAtATime())
    with pytest.raises(RuntimeError, match="cannot be scaled afterwards"):
        (loss / 8).backward()


def test_nothing_is_added_where_nothing_is_trained(tensors: tuple[Tensor, Tensor, Tensor, Tensor]) -> None:
    hidden_NH, weight_VH, *rest = tensors
    weight_VH.main_grad = torch.zeros_like(weight_VH)
    with torch.no_grad():
        evaluated = linear_cross_entropy(hidden_NH, weight_VH, *rest, OneChunkAtATime())
    torch.testing.assert_close(evaluated, expected(*tensors)[0], rtol=1e-5, atol=1e-4)
    none = linear_cross_entropy(hidden_NH[:0], weight_VH, rest[0][:0], rest[1][:0], OneChunkAtATime())
    none.backward()
    assert none == 0.0
    assert not weight_VH.main_grad.any()
    assert not hidden_NH.grad.any()


def test_chunks_of_qwen3_stay_near_half_a_gibibyte_of_bf16_logits() -> None:
    rows = rows_per_chunk(32_768, 151_936)
    assert rows % 128 == 0
    assert rows * 151_936 * 2 <= 0.55 * 2**30
    assert rows_per_chunk(5, 320) == 128


def test_the_memory_estimate_knows_how_many_logits_are_made_at_a_time() -> None:
    assert activations.LOGITS_PER_CHUNK == module.LOGITS_PER_CHUNK
