"""How Megatron shall compute a mixture of experts, from the architecture and the resolved spec.

No token is dropped and none is added to fill an expert up: a microbatch gives the same values however its experts are
laid out. The dispatcher that sends tokens by all-to-all is the only one that allows microbatches of different lengths.
"""

from __future__ import annotations

from typing import Any

from tunedeck.architecture import Architecture
from tunedeck.resolved import ResolvedSpec


def expert_fields(architecture: Architecture, spec: ResolvedSpec) -> dict[str, Any]:
    """Fields of TransformerConfig; none for a dense model."""
    experts, wanted = architecture.experts, spec.experts
    if experts is None:
        return {}
    return {
        "num_moe_experts": experts.num_moe_experts,
        "moe_ffn_hidden_size": experts.moe_ffn_hidden_size,
        "moe_router_topk": experts.moe_router_topk,
        "moe_router_score_function": "softmax",
        # A softmax over the chosen experts is a softmax over all of them, scaled to a sum of 1.
        "moe_router_pre_softmax": not experts.norm_topk_prob,
        # Which experts are chosen turns on the last bits of the logits, and every choice is another function.
        "moe_router_dtype": "fp32",
        "moe_router_load_balancing_type": wanted.moe_router_load_balancing_type,
        "moe_aux_loss_coeff": wanted.moe_aux_loss_coeff,
        # Its value is not looked at where there is to be no such loss, only whether there is one.
        "moe_z_loss_coeff": wanted.moe_z_loss_coeff or None,
        **({"moe_grouped_gemm": True, "moe_permute_fusion": True} if spec.hardware.device == "cuda" else {}),
    }
