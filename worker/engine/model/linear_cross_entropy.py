"""Output layer and cross entropy in one: the loss of the trained tokens, without ever holding all logits.

The logits of 32,768 tokens over Qwen3's 151,936 words take 18.6 GiB in fp32, and a plain implementation holds several
copies. Here the tokens go through the output layer a chunk at a time: logits, loss and the gradient of both sides are
made, added up, and forgotten before the next chunk. Rows that are not trained (prompts, padding) are left out: their
logits would be multiplied by zero. Making the logits again in the backward pass was rejected: it costs a third more
matrix work in this layer than keeping the two gradients, which are as small as its input and its weight.

Shapes: N trained tokens, C of them in a chunk, H hidden size, V words of the vocabulary on this tensor-parallel rank.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

# (labels [1, C], logits [C, 1, V]) -> losses [1, C]: GPTModel.compute_language_model_loss, of one chunk.
CrossEntropy = Callable[[Tensor, Tensor], Tensor]

# 512 MiB of bf16 logits: large enough for full matrix speed, small beside the activations of a layer.
LOGITS_PER_CHUNK = 2**28
_ROWS_MULTIPLE = 128


def linear_cross_entropy(
    hidden_NH: Tensor, weight_VH: Tensor, labels_N: Tensor, loss_weights_N: Tensor, cross_entropy: CrossEntropy
) -> Tensor:
    """The sum of `loss_weights_N` × cross entropy, in nats: a float32 scalar.

    `labels_N` are int64 ids of the whole vocabulary, `loss_weights_N` float32. Under tensor parallelism `cross_entropy`
    joins the parts of the vocabulary; the gradient of `hidden_NH` is this rank's part of a sum over the ranks.

    A weight that has Megatron's `main_grad` gets its gradient added there during this call, as if the scalar were what
    is differentiated. So it must be: a backward pass that multiplies it by anything but 1 fails.
    """
    return _LinearCrossEntropy.apply(
        hidden_NH, weight_VH, labels_N, loss_weights_N, cross_entropy, torch.is_grad_enabled()
    )


def rows_per_chunk(num_rows: int, vocab_size: int) -> int:
    """Rows of equal chunks of at most about LOGITS_PER_CHUNK logits, a multiple of what matrix units like."""
    num_chunks = -(-num_rows * vocab_size // LOGITS_PER_CHUNK)
    rows = -(-num_rows // max(num_chunks, 1))
    return max(-(-rows // _ROWS_MULTIPLE), 1) * _ROWS_MULTIPLE


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_NH: Tensor,
        weight_VH: Tensor,
        labels_N: Tensor,
        loss_weights_N: Tensor,
        cross_entropy: CrossEntropy,
        trains: bool,
    ) -> Tensor:
        rows = rows_per_chunk(len(hidden_NH), len(weight_VH))
        grad_NH = torch.empty_like(hidden_NH) if trains else None
        grad_VH = _weight_gradient(weight_VH) if trains else None
        loss = hidden_NH.new_zeros((), dtype=torch.float32)
        for start in range(0, len(hidden_NH), rows):
            chunk = slice(start, start + rows)
            losses_C, grad_CV = _chunk(
                hidden_NH[chunk], weight_VH, labels_N[chunk], loss_weights_N[chunk], cross_entropy, trains
            )
            loss += (losses_C * loss_weights_N[chunk]).sum()
            if grad_CV is not None and grad_NH is not None and grad_VH is not None:
                torch.matmul(grad_CV, weight_VH, out=grad_NH[chunk])
                _add_product(grad_VH, grad_CV, hidden_NH[chunk])
        ctx.weight_VH = weight_VH
        ctx.is_in_main_grad = grad_VH is not None and grad_VH is getattr(weight_VH, "main_grad", None)
        ctx.save_for_backward(grad_NH, None if ctx.is_in_main_grad else grad_VH)
        return loss

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (grad,) = grads
        grad_NH, grad_VH = ctx.saved_tensors
        if not ctx.is_in_main_grad:
            return grad_NH * grad, (grad_VH * grad).to(ctx.weight_VH.dtype), None, None, None, None
        torch._assert_async(grad == 1, "the weight gradient of linear_cross_entropy cannot be scaled afterwards")
        ctx.weight_VH.grad_added_to_main_grad = True
        # DistributedDataParallel waits for a gradient, and adds it where the embedding shares this weight: zeros.
        return grad_NH, torch.zeros_like(ctx.weight_VH), None, None, None, None


def _weight_gradient(weight_VH: Tensor) -> Tensor:
    """Where the gradient of the weight is added up: Megatron's buffer, or a new one in fp32."""
    main_grad: Tensor | None = getattr(weight_VH, "main_grad", None)
    return torch.zeros_like(weight_VH, dtype=torch.float32) if main_grad is None else main_grad


def _chunk(
    hidden_CH: Tensor,
    weight_VH: Tensor,
    labels_C: Tensor,
    loss_weights_C: Tensor,
    cross_entropy: CrossEntropy,
    trains: bool,
) -> tuple[Tensor, Tensor | None]:
    """(losses, weighted gradient of the logits) of one chunk."""
    logits_CV = linear(hidden_CH, weight_VH)
    if not trains:
        return cross_entropy(labels_C.unsqueeze(0), logits_CV.unsqueeze(1))[0], None
    with torch.enable_grad():
        logits_CV.requires_grad_()
        losses_C = cross_entropy(labels_C.unsqueeze(0), logits_CV.unsqueeze(1))[0]
    (grad_CV,) = torch.autograd.grad(losses_C, logits_CV, loss_weights_C)
    return losses_C.detach(), grad_CV


def _add_product(sum_VH: Tensor, grad_CV: Tensor, hidden_CH: Tensor) -> None:
    if sum_VH.dtype == grad_CV.dtype:
        sum_VH.addmm_(grad_CV.t(), hidden_CH)
    elif sum_VH.is_cuda:
        # The product of bf16 matrices is made and added in fp32, with no copy of either.
        torch.addmm(sum_VH, grad_CV.t(), hidden_CH, out_dtype=sum_VH.dtype, out=sum_VH)
    else:
        sum_VH.addmm_(grad_CV.t().to(sum_VH.dtype), hidden_CH.to(sum_VH.dtype))
