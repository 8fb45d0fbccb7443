"""Which modules a decoder layer is made of: Transformer Engine's on a GPU, Megatron's own on a CPU.

The two differ in names of norm parameters only (Transformer Engine fuses a norm into the linear layer that follows it);
worker/engine/weights knows both. Megatron's get_gpt_layer_local_spec was not usable: its attention refuses packed
sequences and its norm refuses sequence parallelism.
"""

from __future__ import annotations

from megatron.core.fusions.fused_bias_dropout import get_bias_dropout_add
from megatron.core.tensor_parallel.layers import ColumnParallelLinear, RowParallelLinear
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.attention import SelfAttention, SelfAttentionSubmodules
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.identity_op import IdentityOp
from megatron.core.transformer.mlp import MLP, MLPSubmodules
from megatron.core.transformer.spec_utils import ModuleSpec
from megatron.core.transformer.transformer_block import TransformerBlockSubmodules, get_num_layers_to_build
from megatron.core.transformer.transformer_layer import TransformerLayer, TransformerLayerSubmodules

from worker.engine.model.packed_attention import PackedAttention
from worker.engine.model.rms_norm import RMSNorm
from worker.engine.model.swiglu import SwiGLU


def local_block_spec(config: TransformerConfig) -> TransformerBlockSubmodules:
    """The decoder layers of this pipeline stage and the last norm, of modules that run wherever PyTorch runs."""
    return TransformerBlockSubmodules(
        layer_specs=[_local_layer_spec(config.qk_layernorm)] * get_num_layers_to_build(config), layer_norm=RMSNorm
    )


def _local_layer_spec(qk_layernorm: bool) -> ModuleSpec:
    attention = ModuleSpec(
        module=SelfAttention,
        params={"attn_mask_type": AttnMaskType.causal},
        submodules=SelfAttentionSubmodules(
            linear_qkv=ColumnParallelLinear,
            core_attention=PackedAttention,
            linear_proj=RowParallelLinear,
            q_layernorm=RMSNorm if qk_layernorm else IdentityOp,
            k_layernorm=RMSNorm if qk_layernorm else IdentityOp,
        ),
    )
    mlp = ModuleSpec(
        module=MLP,
        submodules=MLPSubmodules(linear_fc1=ColumnParallelLinear, linear_fc2=RowParallelLinear, activation_func=SwiGLU),
    )
    return ModuleSpec(
        module=TransformerLayer,
        submodules=TransformerLayerSubmodules(
            input_layernorm=RMSNorm,
            self_attention=attention,
            self_attn_bda=get_bias_dropout_add,
            pre_mlp_layernorm=RMSNorm,
            mlp=mlp,
            mlp_bda=get_bias_dropout_add,
        ),
    )
