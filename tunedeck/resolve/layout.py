"""Whether the parallel sizes divide the model, each refusal at its field and with the model's own numbers."""

from __future__ import annotations

from typing import Any

from tunedeck.architecture import architecture_of
from tunedeck.errors import Problem
from tunedeck.resolve.facts import ModelFacts
from tunedeck.resolved import ResolvedModel, ResolvedParallelism
from tunedeck.spec import Parallelism


def resolve_model(model: ModelFacts) -> ResolvedModel:
    """The sizes that layouts are checked against. Raises ModelInvalid where config.json is not what was registered."""
    architecture = architecture_of(model.config)
    experts = architecture.experts
    return ResolvedModel(
        name=model.name,
        path=model.path,
        architecture=model.architecture,
        num_parameters=model.num_parameters,
        num_layers=architecture.num_layers,
        hidden_size=architecture.hidden_size,
        ffn_hidden_size=architecture.ffn_hidden_size,
        num_attention_heads=architecture.num_attention_heads,
        num_query_groups=architecture.num_query_groups,
        num_experts=experts.num_moe_experts if experts else 0,
        moe_ffn_hidden_size=experts.moe_ffn_hidden_size if experts else 0,
        vocab_size=architecture.vocab_size,
        max_position_embeddings=architecture.max_position_embeddings,
    )


def resolve_parallelism(asked: Parallelism, model: ResolvedModel) -> ResolvedParallelism:
    """Over one tensor-parallel rank there is nothing to share by token: Megatron wants the switch off there. A dense
    model has no experts to part."""
    values: dict[str, Any] = asked.model_dump()
    values["sequence_parallel"] = asked.sequence_parallel and asked.tensor_model_parallel_size > 1
    default = asked.tensor_model_parallel_size if model.num_experts else 1
    values["expert_tensor_parallel_size"] = asked.expert_tensor_parallel_size or default
    return ResolvedParallelism.model_validate(values)


def check_layout(asked: Parallelism, model: ResolvedModel, problems: list[Problem]) -> None:
    _check_divided(
        "tensor_model_parallel_size", asked.tensor_model_parallel_size, _tensor_parts(model), model, problems
    )
    _check_pipeline(asked, model, problems)
    _check_experts(asked, model, problems)
    _check_overlap(asked, problems)


def _tensor_parts(model: ResolvedModel) -> dict[str, int]:
    parts = {
        "attention heads (num_attention_heads)": model.num_attention_heads,
        "query groups (num_key_value_heads)": model.num_query_groups,
    }
    if not model.num_experts:
        parts["columns of the MLP (intermediate_size)"] = model.ffn_hidden_size
    return parts


def _check_divided(field: str, size: int, parts: dict[str, int], model: ResolvedModel, problems: list[Problem]) -> None:
    for what, number in parts.items():
        if number % size:
            message = f"{field} {size} does not divide the {number} {what} of {model.name}"
            problems.append(Problem(f"parallelism.{field}", size, message, f"use a divisor of {number}"))


def _check_pipeline(asked: Parallelism, model: ResolvedModel, problems: list[Problem]) -> None:
    stages, pieces = asked.pipeline_model_parallel_size, asked.virtual_pipeline_model_parallel_size
    layers = {"layers (num_hidden_layers)": model.num_layers}
    _check_divided("pipeline_model_parallel_size", stages, layers, model, problems)
    if pieces == 1:
        return
    field = "parallelism.virtual_pipeline_model_parallel_size"
    if stages == 1:
        message = f"{pieces} pieces on each pipeline stage need at least 2 stages"
        problems.append(Problem(field, pieces, message, "set it to 1, or raise pipeline_model_parallel_size"))
    elif model.num_layers % (stages * pieces):
        message = f"{stages} stages × {pieces} pieces do not divide the {model.num_layers} layers of {model.name}"
        problems.append(Problem(field, pieces, message, f"use a divisor of {max(1, model.num_layers // stages)}"))


def _check_experts(asked: Parallelism, model: ResolvedModel, problems: list[Problem]) -> None:
    experts, tensor = asked.expert_model_parallel_size, asked.expert_tensor_parallel_size
    if model.num_experts:
        parts = {"experts (num_experts)": model.num_experts}
        _check_divided("expert_model_parallel_size", experts, parts, model, problems)
        parts = {"columns of an expert (moe_intermediate_size)": model.moe_ffn_hidden_size}
        field = "tensor_model_parallel_size" if tensor is None else "expert_tensor_parallel_size"
        _check_divided(field, tensor or asked.tensor_model_parallel_size, parts, model, problems)
        _check_expert_tokens(asked, problems)
        return
    sizes = {"expert_model_parallel_size": experts, "expert_tensor_parallel_size": tensor or 1}
    for field, size in sizes.items():
        if size > 1:
            message = f"{field} {size} parts experts, and {model.name} has none"
            problems.append(Problem(f"parallelism.{field}", size, message, "leave it out"))


def _check_expert_tokens(asked: Parallelism, problems: list[Problem]) -> None:
    """Megatron refuses to train so: every tensor-parallel rank would send every token to the experts."""
    if asked.tensor_model_parallel_size > 1 and not asked.sequence_parallel:
        message = "experts under tensor parallelism need sequence_parallel"
        mend = "switch sequence_parallel on, or set tensor_model_parallel_size to 1"
        problems.append(Problem("parallelism.sequence_parallel", False, message, mend))


def _check_overlap(asked: Parallelism, problems: list[Problem]) -> None:
    if not asked.overlap_param_gather:
        return
    for needed in ("use_distributed_optimizer", "overlap_grad_reduce"):
        if not getattr(asked, needed):
            message = f"overlap_param_gather needs {needed}"
            mend = f"switch {needed} on, or overlap_param_gather off"
            problems.append(Problem("parallelism.overlap_param_gather", True, message, mend))
