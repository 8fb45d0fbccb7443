"""What a mixture of experts is trained for beside its tokens."""

from __future__ import annotations

from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedExperts, ResolvedModel
from tunedeck.spec import Experts

# What the configurations of Qwen's mixtures of experts say (router_aux_loss_coef).
DEFAULT_AUX_LOSS_COEFF = 0.001


def resolve_experts(asked: Experts, model: ResolvedModel, problems: list[Problem]) -> ResolvedExperts:
    balances = asked.moe_router_load_balancing_type == "aux_loss"
    if not model.num_experts:
        _check_dense(asked, model, problems)
    elif asked.moe_aux_loss_coeff is not None and not balances:
        given = asked.moe_aux_loss_coeff
        message = f"moe_aux_loss_coeff {given} means nothing with moe_router_load_balancing_type none"
        mend = "leave it out, or set moe_router_load_balancing_type to aux_loss"
        problems.append(Problem("experts.moe_aux_loss_coeff", given, message, mend))
    return ResolvedExperts(
        moe_router_load_balancing_type=asked.moe_router_load_balancing_type,
        moe_aux_loss_coeff=(asked.moe_aux_loss_coeff or DEFAULT_AUX_LOSS_COEFF) if balances else 0.0,
        moe_z_loss_coeff=asked.moe_z_loss_coeff or 0.0,
    )


def _check_dense(asked: Experts, model: ResolvedModel, problems: list[Problem]) -> None:
    for field, value in asked.model_dump().items():
        if value not in (None, "none"):
            message = f"{field} {value} is about experts, and {model.name} has none"
            problems.append(Problem(f"experts.{field}", value, message, "leave it out"))
