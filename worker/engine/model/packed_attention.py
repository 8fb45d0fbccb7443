"""Attention over packed sequences without Transformer Engine: the same contract as TEDotProductAttention's `thd`.

Megatron's own DotProductAttention refuses packed sequences, and a dense block mask over the whole pack costs seven
times as much as this loop (4,096 tokens, 32 sequences). It has no weights, so CPU and GPU models hold the same
parameters. It refuses unpacked input and context parallelism: nothing here trains with them.

Shapes: T tokens of the pack, H query heads and G key-value heads of this rank, D channels of a head.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.module import MegatronModule
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


class PackedAttention(MegatronModule):
    """Causal softmax attention inside each sequence of a pack. Grouped-query heads are shared as H // G."""

    def __init__(
        self, config: TransformerConfig, layer_number: int, attn_mask_type: AttnMaskType, **kwargs: Any
    ) -> None:
        super().__init__(config=config)
        if config.context_parallel_size > 1:
            raise ValueError("PackedAttention does not do context parallelism")
        self.softmax_scale = kwargs.get("softmax_scale") or config.kv_channels**-0.5

    def forward(
        self,
        query_THD: Tensor,
        key_TGD: Tensor,
        value_TGD: Tensor,
        attention_mask: Tensor | None,
        attn_mask_type: AttnMaskType | None = None,
        attention_bias: Tensor | None = None,
        packed_seq_params: PackedSeqParams | None = None,
    ) -> Tensor:
        """Attend; [T, H·D] of the input's dtype. Masks other than causal within a sequence are not looked at."""
        if packed_seq_params is None or packed_seq_params.qkv_format != "thd":
            raise ValueError("PackedAttention needs PackedSeqParams with qkv_format thd")
        bounds = packed_seq_params.cu_seqlens_q.tolist()
        query_1HTD, key_1GTD, value_1GTD = (x.transpose(0, 1).unsqueeze(0) for x in (query_THD, key_TGD, value_TGD))
        lengths = [end - start for start, end in pairwise(bounds)]
        context_1HTD = torch.cat(
            [
                scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.softmax_scale, enable_gqa=True)
                for q, k, v in zip(
                    query_1HTD.split(lengths, 2), key_1GTD.split(lengths, 2), value_1GTD.split(lengths, 2), strict=True
                )
            ],
            dim=2,
        )
        return context_1HTD.squeeze(0).transpose(0, 1).flatten(1)
