"""TransformerConfig: how Megatron shall compute the model, from the architecture and the resolved spec alone.

Sizes that the layout does not divide are refused here by field, for runs without the service too.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer import TransformerConfig
from torch.nn.functional import silu

from tunedeck.architecture import Architecture
from tunedeck.errors import SpecInvalid
from tunedeck.resolved import ResolvedRecompute, ResolvedSpec
from worker.engine.model.computing import computing_fields

_TORCH_DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def transformer_config(architecture: Architecture, spec: ResolvedSpec) -> TransformerConfig:
    """Megatron's TransformerConfig for `architecture` as `spec` wants it trained.

    Raises SpecInvalid where the spec cannot be run: FP8 without Transformer Engine, sizes that the parallel layout does
    not divide.
    """
    _check_layout(architecture, spec)
    params_dtype = _TORCH_DTYPES[spec.precision.params_dtype]
    return TransformerConfig(
        num_layers=architecture.num_layers,
        hidden_size=architecture.hidden_size,
        ffn_hidden_size=architecture.ffn_hidden_size,
        num_attention_heads=architecture.num_attention_heads,
        num_query_groups=architecture.num_query_groups,
        kv_channels=architecture.kv_channels,
        normalization="RMSNorm",
        layernorm_epsilon=architecture.layernorm_epsilon,
        qk_layernorm=architecture.qk_layernorm,
        gated_linear_unit=True,
        activation_func=silu,
        add_bias_linear=False,
        add_qkv_bias=architecture.qkv_bias,
        hidden_dropout=0.0,
        attention_dropout=0.0,
        # Every parameter is read from a file, so none is drawn. Initialising cannot be switched off altogether: it also
        # marks which parameters are split over tensor-parallel ranks. Zeros keep the rows that pad the vocabulary tidy.
        init_method=torch.nn.init.zeros_,
        output_layer_init_method=torch.nn.init.zeros_,
        tensor_model_parallel_size=spec.parallelism.tensor_model_parallel_size,
        pipeline_model_parallel_size=spec.parallelism.pipeline_model_parallel_size,
        sequence_parallel=spec.parallelism.sequence_parallel,
        params_dtype=params_dtype,
        pipeline_dtype=params_dtype,
        bf16=params_dtype is torch.bfloat16,
        # Microbatches are packed to different lengths. Megatron then insists on this dispatcher even without experts.
        variable_seq_lengths=True,
        moe_token_dispatcher_type="alltoall",
        calculate_per_token_loss=True,
        masked_softmax_fusion=False,
        **_recompute(spec.recompute),
        **computing_fields(spec),
    )


def _check_layout(architecture: Architecture, spec: ResolvedSpec) -> None:
    tensor_size = spec.parallelism.tensor_model_parallel_size
    for name in ("num_attention_heads", "num_query_groups", "ffn_hidden_size"):
        if getattr(architecture, name) % tensor_size:
            raise SpecInvalid.at(
                "parallelism.tensor_model_parallel_size",
                tensor_size,
                f"tensor_model_parallel_size = {tensor_size} does not divide {name} = {getattr(architecture, name)}",
                f"use a divisor of {getattr(architecture, name)}",
            )
    pipeline_size = spec.parallelism.pipeline_model_parallel_size
    if architecture.num_layers % pipeline_size:
        raise SpecInvalid.at(
            "parallelism.pipeline_model_parallel_size",
            pipeline_size,
            f"pipeline_model_parallel_size = {pipeline_size} does not divide num_layers = {architecture.num_layers}",
            f"use a divisor of {architecture.num_layers}",
        )
    if spec.parallelism.sequence_parallel and tensor_size == 1:
        raise SpecInvalid.at(
            "parallelism.sequence_parallel",
            True,
            "sequence_parallel needs tensor_model_parallel_size > 1",
            "switch it off, or raise tensor_model_parallel_size",
        )


def _recompute(recompute: ResolvedRecompute) -> dict[str, Any]:
    if recompute.recompute_granularity == "none":
        return {}
    if recompute.recompute_granularity == "selective":
        return {"recompute_granularity": "selective"}
    return {
        "recompute_granularity": "full",
        "recompute_method": recompute.recompute_method,
        "recompute_num_layers": recompute.recompute_num_layers,
    }
