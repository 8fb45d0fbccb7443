"""The joined output layer in bf16, with Transformer Engine's cross entropy, against fp32 over all logits at once."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from worker.engine.model import linear_cross_entropy as module
from worker.engine.model.linear_cross_entropy import linear_cross_entropy

NUM_TOKENS, HIDDEN, VOCABULARY = 1000, 256, 5000


def transformer_engines(labels_1C: Tensor, logits_C1V: Tensor) -> Tensor:
    from transformer_engine.pytorch.cross_entropy import parallel_cross_entropy

    return parallel_cross_entropy(logits_C1V, labels_1C.t().contiguous(), 0.0, False, None).transpose(0, 1)


def test_bf16_gradients_are_added_to_an_fp32_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOGITS_PER_CHUNK", 256 * VOCABULARY)
    torch.manual_seed(3)
    hidden_NH = torch.randn(NUM_TOKENS, HIDDEN, device="cuda", dtype=torch.bfloat16, requires_grad=True)
    weight_VH = (torch.randn(VOCABULARY, HIDDEN, device="cuda") * 0.05).bfloat16().requires_grad_()
    labels_N = torch.randint(0, VOCABULARY, (NUM_TOKENS,), device="cuda")
    weights_N = torch.rand(NUM_TOKENS, device="cuda")
    weight_VH.main_grad = torch.zeros(VOCABULARY, HIDDEN, device="cuda")
    loss = linear_cross_entropy(hidden_NH, weight_VH, labels_N, weights_N, transformer_engines)
    loss.backward()
    wide = [hidden_NH.detach().float().requires_grad_(), weight_VH.detach().float().requires_grad_()]
    expected = (cross_entropy(wide[0] @ wide[1].t(), labels_N, reduction="none") * weights_N).sum()
    grads = torch.autograd.grad(expected, wide)
    torch.testing.assert_close(loss, expected, rtol=1e-3, atol=0.5)
    for ours, theirs in zip((hidden_NH.grad.float(), weight_VH.main_grad), grads, strict=True):
        assert (ours - theirs).norm() / theirs.norm() < 0.01
