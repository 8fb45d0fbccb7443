"""Which modules a decoder layer is made of: Transformer Engine's on a GPU, Megatron's own on a CPU.

The two differ in names of parameters only (Transformer Engine fuses a norm into the linear layer that follows it, and
joins the experts of a rank into one module); worker/engine/weights knows both. Megatron's get_gpt_layer_local_spec was
not usable: its attention refuses packed sequences and its norm refuses sequence parallelism.
"""

from __future__ import annotations

from megatron.core.fusions.fused_bias_dropout import get_bias_dropout_add
from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_with_transformer_engine_spec
from megatron.core.tensor_parallel.layers import ColumnParallelLinear, RowParallelLinear
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.attention import SelfAttention, SelfAttentionSubmodules
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.identity_op import IdentityOp
from megatron.core.transformer.mlp import MLP, MLPSubmodules
from megatron.core.transformer.moe.experts import SequentialMLP
from megatron.core.transformer.moe.moe_layer import MoELayer, MoESubmodules
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_layer import TransformerLayer, TransformerLayerSubmodules

from worker.engine.model.packed_attention import PackedAttention
from worker.engine.model.rms_norm import RMSNorm
from worker.engine.model.swiglu import SwiGLU


def transformer_engine_layer_spec(config: TransformerConfig) -> ModuleSpec:
    """Every decoder layer of a GPU's model."""
    return get_gpt_layer_with_transformer_engine_spec(
        num_experts=config.num_moe_experts,
        moe_grouped_gemm=config.moe_grouped_gemm,
        qk_layernorm=config.qk_layernorm,
    )


def local_block_spec(config: TransformerConfig, chunk: int | None) -> TransformerBlockSubmodules:
    """The decoder layers of this pipeline stage (of its chunk number `chunk`, if it has several) and the last norm, of
    modules that run wherever PyTorch runs."""
    num_layers = get_num_layers_to_build(config, vp_stage=chunk)
    return TransformerBlockSubmodules(layer_specs=[_local_layer_spec(config)] * num_layers, layer_norm=RMSNorm)


def _local_layer_spec(config: TransformerConfig) -> ModuleSpec:
    qk_norm = RMSNorm if config.qk_layernorm else IdentityOp
    attention = ModuleSpec(
        module=SelfAttention,
        params={"attn_mask_type": AttnMaskType.causal},
        submodules=SelfAttentionSubmodules(
            linear_qkv=ColumnParallelLinear,
            core_attention=PackedAttention,
            linear_proj=RowParallelLinear,
            q_layernorm=qk_norm,
            k_layernorm=qk_norm,
        ),
    )
    return ModuleSpec(
        module=TransformerLayer,
        submodules=TransformerLayerSubmodules(
            input_layernorm=RMSNorm,
            self_attention=attention,
            self_attn_bda=get_bias_dropout_add,
            pre_mlp_layernorm=RMSNorm,
            mlp=_local_mlp_spec() if config.num_moe_experts is None else _local_experts_spec(),
            mlp_bda=get_bias_dropout_add,
        ),
    )


def _local_mlp_spec() -> ModuleSpec:
    return ModuleSpec(module=MLP, submodules=_swiglu_submodules())


def _local_experts_spec() -> ModuleSpec:
    """One module per expert, called one after the other; grouped GEMMs exist on GPUs only."""
    experts = ModuleSpec(module=SequentialMLP, submodules=_swiglu_submodules())
    return ModuleSpec(module=MoELayer, submodules=MoESubmodules(experts=experts))


def _swiglu_submodules() -> MLPSubmodules:
    return MLPSubmodules(linear_fc1=ColumnParallelLinear, linear_fc2=RowParallelLinear, activation_func=SwiGLU)
