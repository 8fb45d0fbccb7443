"""SwiGLU for the local layer spec: one pass forward, one backward, keeping nothing but its input.

Megatron's own form keeps three tensors of the MLP's width and joins two gradients into a third, which is a tenth of the
time of a small model's MLP on a CPU. Its fused form is torch.compile, which wants a C++ compiler on the user's machine.
Transformer Engine and Megatron's fused form do this on a GPU.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.module import MegatronModule
from torch import Tensor
from torch.nn.functional import silu


class SwiGLU(MegatronModule):
    """silu(gate) · up, for input [..., 2·F] that holds gate and then up; returns [..., F].

    A MegatronModule, because Megatron's MLP asks each of its parts for its share of a checkpoint.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__(config=config)

    def forward(self, gate_and_up: Tensor) -> Tensor:
        return _SwiGLU.apply(gate_and_up)


class _SwiGLU(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gate_and_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_and_up)
        gate, up = gate_and_up.chunk(2, dim=-1)
        return silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (gate_and_up,) = ctx.saved_tensors
        gate, up = gate_and_up.chunk(2, dim=-1)
        both = torch.empty_like(gate_and_up)
        grad_gate, grad_up = both.chunk(2, dim=-1)
        torch.mul(grad, silu(gate), out=grad_up)
        torch.ops.aten.silu_backward.grad_input(grad * up, gate, grad_input=grad_gate)
        return both
