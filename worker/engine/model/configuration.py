"""TransformerConfig: how Megatron shall compute the model, from the architecture and the resolved spec alone.

Sizes that the layout does not divide are refused here by field, for runs without the service too.
"""

from __future__ import annotations

from typing import Any

import torch
from megatron.core.transformer import TransformerConfig
from torch.nn.functional import silu

from tunedeck.architecture import Architecture
from tunedeck.errors import Problem, SpecInvalid
from tunedeck.resolve.layout import check_layout
from tunedeck.resolved import ResolvedModel, ResolvedParallelism, ResolvedRecompute, ResolvedSpec
from worker.engine.model.computing import computing_fields
from worker.engine.model.experts import expert_fields

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
        context_parallel_size=spec.parallelism.context_parallel_size,
        expert_model_parallel_size=spec.parallelism.expert_model_parallel_size,
        expert_tensor_parallel_size=spec.parallelism.expert_tensor_parallel_size,
        sequence_parallel=spec.parallelism.sequence_parallel,
        params_dtype=params_dtype,
        pipeline_dtype=params_dtype,
        bf16=params_dtype is torch.bfloat16,
        **_pipeline(spec.parallelism),
        # Megatron insists on it for microbatches of different lengths, even without experts.
        moe_token_dispatcher_type="alltoall",
        calculate_per_token_loss=True,
        masked_softmax_fusion=False,
        **_recompute(spec.recompute),
        **expert_fields(architecture, spec),
        **computing_fields(spec),
    )


def _check_layout(architecture: Architecture, spec: ResolvedSpec) -> None:
    """What the queue refuses is refused here, too, against the model in the folder: a spec may be written by hand."""
    sizes = architecture.model_dump(include=set(ResolvedModel.model_fields) & set(Architecture.model_fields))
    experts = architecture.experts
    sizes["num_experts"] = experts.num_moe_experts if experts else 0
    sizes["moe_ffn_hidden_size"] = experts.moe_ffn_hidden_size if experts else 0
    problems: list[Problem] = []
    check_layout(spec.parallelism, spec.model.model_copy(update=sizes), problems)
    if spec.parallelism.sequence_parallel and spec.parallelism.tensor_model_parallel_size == 1:
        message = "sequence_parallel needs tensor_model_parallel_size > 1"
        mend = "switch it off, or raise tensor_model_parallel_size"
        problems.append(Problem("parallelism.sequence_parallel", True, message, mend))
    if problems:
        raise SpecInvalid(problems[0].message, problems[0].mend, tuple(problems))


def _pipeline(parallelism: ResolvedParallelism) -> dict[str, Any]:
    """Microbatches are packed to different lengths, so each stage tells the next how long they are.

    Between the stages of an interleaved pipeline of two, both directions lead to the same rank, and megatron-core
    0.16.1 mixes them up unless it sends one by one; what it says of lengths it mixes up even then
    (P2PCommunicator._communicate_shapes). There the data come in one length.
    """
    num_chunks = parallelism.virtual_pipeline_model_parallel_size
    if num_chunks == 1:
        return {"variable_seq_lengths": True}
    return {
        "virtual_pipeline_model_parallel_size": num_chunks,
        "overlap_p2p_comm": True,
        "batch_p2p_comm": False,
    }


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
