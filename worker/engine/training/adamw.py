"""AdamW with FusedAdam's signature, for machines without Transformer Engine.

Megatron-core falls back on torch.optim.AdamW there, which keeps the step count per parameter as a tensor; under the
distributed optimizer of 0.16.1 such a checkpoint cannot be loaded again. Here it is an int per parameter group, as
FusedAdam has it, so that checkpoints of CPU and GPU have the same form. A subclass of torch's AdamW was rejected: its
step count is woven into all of its code paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class AdamW(torch.optim.Optimizer):
    """Loshchilov and Hutter, "Decoupled Weight Decay Regularization", algorithm 2, as torch.optim.AdamW computes it."""

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        bias_correction: bool = True,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        adam_w_mode: bool = True,
        weight_decay: float = 0.0,
    ) -> None:
        if not (bias_correction and adam_w_mode):
            raise ValueError("only AdamW with bias correction is implemented")
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient. Closures are refused: Megatron passes none."""
        if closure is not None:
            raise ValueError("closures are not supported")
        for group in self.param_groups:
            group["step"] = group.get("step", 0) + 1
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group)

    def _update(self, parameter: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        beta1, beta2 = group["betas"]
        exp_avg, exp_avg_sq = state["exp_avg"], state["exp_avg_sq"]
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        exp_avg.lerp_(grad, 1 - beta1)
        exp_avg_sq.mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        correction1 = 1 - beta1 ** group["step"]
        correction2_sqrt = math.sqrt(1 - beta2 ** group["step"])
        denominator = exp_avg_sq.sqrt().div_(correction2_sqrt).add_(group["eps"])
        parameter.addcdiv_(exp_avg, denominator, value=-group["lr"] / correction1)
