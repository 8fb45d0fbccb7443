"""Attention over packed sequences without Transformer Engine: the same contract as TEDotProductAttention's `thd`.

Megatron's own DotProductAttention refuses packed sequences, and a dense block mask over the whole pack costs seven
times as much as this loop (4,096 tokens, 32 sequences). It has no weights, so CPU and GPU models hold the same
parameters. Under context parallelism every rank gathers all keys and values; passing them round a ring, as Transformer
Engine does, saves memory that no model of a CPU needs. It refuses unpacked input: nothing here trains with it.

Shapes: T tokens of the pack on this rank, H query heads and G key-value heads of this rank, D channels of a head.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import torch
from megatron.core import parallel_state
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.tensor_parallel.mappings import gather_from_sequence_parallel_region
from megatron.core.transformer import TransformerConfig
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.module import MegatronModule
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from worker.engine.context_parallel import held_tokens


class PackedAttention(MegatronModule):
    """Causal softmax attention inside each sequence of a pack. Grouped-query heads are shared as H // G."""

    def __init__(
        self, config: TransformerConfig, layer_number: int, attn_mask_type: AttnMaskType, **kwargs: Any
    ) -> None:
        super().__init__(config=config)
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
        lengths = [end - start for start, end in pairwise(packed_seq_params.cu_seqlens_q.tolist())]
        if self.config.context_parallel_size > 1:
            return self._over_ranks(query_THD, key_TGD, value_TGD, lengths)
        parts = zip(*(x.split(lengths) for x in (query_THD, key_TGD, value_TGD)), strict=True)
        return torch.cat([self._attend(query, key, value, None) for query, key, value in parts]).flatten(1)

    def _over_ranks(self, query_THD: Tensor, key_TGD: Tensor, value_TGD: Tensor, lengths: list[int]) -> Tensor:
        """Attend under context parallelism; `lengths` are those of the whole sequences."""
        group = parallel_state.get_context_parallel_group()
        size, rank = group.size(), group.rank()
        held = torch.from_numpy(np.concatenate([held_tokens(lengths, other, size) for other in range(size)]))
        keys, values = (
            gather_from_sequence_parallel_region(x, group=group)[held.argsort()].split(lengths)
            for x in (key_TGD, value_TGD)
        )
        queries = query_THD.split([length // size for length in lengths])
        context = []
        for query, key, value, length in zip(queries, keys, values, lengths, strict=True):
            places = torch.from_numpy(held_tokens([length], rank, size))
            may_see = places.unsqueeze(1) >= torch.arange(length)
            context.append(self._attend(query, key, value, may_see))
        return torch.cat(context).flatten(1)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, may_see: Tensor | None) -> Tensor:
        """Attend within one sequence; without `may_see` [queries, keys], causally."""
        query_1HTD, key_1GTD, value_1GTD = (x.transpose(0, 1).unsqueeze(0) for x in (query, key, value))
        context = scaled_dot_product_attention(
            query_1HTD,
            key_1GTD,
            value_1GTD,
            attn_mask=may_see,
            is_causal=may_see is None,
            scale=self.softmax_scale,
            enable_gqa=True,
        )
        return context.squeeze(0).transpose(0, 1)
