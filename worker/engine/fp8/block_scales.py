"""Blockwise scaling with scales in fp32, as the recipe trains on Hopper.

Transformer Engine rounds the scale of every block down to a power of two, which costs up to half of e4m3's range.
SmolLM2-135M's loss is 1.5% above BF16's with such scales, and 1.0% with exact ones (worked out in fp32 on a CPU).
It takes them where NVTE_FP8_BLOCK_SCALING_FP32_SCALES is 1 when it is first imported. That is before the engine has
read its spec, and whoever starts the engine without the service would have to know it, so the defaults of the recipe's
class are set instead. Whoever sets the variable has chosen.
"""

from __future__ import annotations

import os

import torch

VARIABLE = "NVTE_FP8_BLOCK_SCALING_FP32_SCALES"
TENSORS = ("fp8_quant_fwd_inp", "fp8_quant_fwd_weight", "fp8_quant_bwd_grad")
# From Blackwell on Transformer Engine computes this recipe with MXFP8, whose scales are powers of two.
FIRST_WITHOUT = (10, 0)


def use_fp32_block_scales() -> None:
    """For every Float8BlockScaling that is made from now on in this process."""
    if VARIABLE in os.environ or torch.cuda.get_device_capability() >= FIRST_WITHOUT:
        return
    from transformer_engine.common.recipe import Float8BlockScaling, QParams

    for tensor in TENSORS:
        setattr(Float8BlockScaling, tensor, QParams(power_2_scale=False, amax_epsilon=0.0))
