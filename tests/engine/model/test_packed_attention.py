"""Against attention written out in NumPy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer.enums import AttnMaskType

from tests.engine.model.specs import layout_spec
from tests.engine.model.test_configuration import ARCHITECTURE
from worker.engine.model import transformer_config
from worker.engine.model.packed_attention import PackedAttention

BOUNDS = (0, 1, 6, 13)
HEADS, GROUPS, CHANNELS = 4, 2, 16


@pytest.fixture
def attention() -> PackedAttention:
    return PackedAttention(transformer_config(ARCHITECTURE, layout_spec()), 1, AttnMaskType.causal)


def _numpy_attention(query_THD: np.ndarray, key_TGD: np.ndarray, value_TGD: np.ndarray) -> np.ndarray:
    context_THD = np.zeros_like(query_THD)
    for start, end in pairwise(BOUNDS):
        for head in range(HEADS):
            group = head // (HEADS // GROUPS)
            for t in range(start, end):
                scores = key_TGD[start : t + 1, group] @ query_THD[t, head] / np.sqrt(CHANNELS)
                weights = np.exp(scores - scores.max())
                context_THD[t, head] = weights / weights.sum() @ value_TGD[start : t + 1, group]
    return context_THD.reshape(len(query_THD), -1)


def test_each_sequence_attends_to_its_own_past_only(attention: PackedAttention) -> None:
    torch.manual_seed(2)
    query_THD = torch.randn(BOUNDS[-1], HEADS, CHANNELS)
    key_TGD, value_TGD = torch.randn(2, BOUNDS[-1], GROUPS, CHANNELS)
    bounds = torch.tensor(BOUNDS, dtype=torch.int32)
    packed = PackedSeqParams("thd", bounds, bounds, max_seqlen_q=7, max_seqlen_kv=7)
    context = attention(query_THD, key_TGD, value_TGD, None, packed_seq_params=packed)
    expected = _numpy_attention(query_THD.numpy(), key_TGD.numpy(), value_TGD.numpy())
    np.testing.assert_allclose(context.numpy(), expected, atol=1e-6)


def test_unpacked_input_is_refused(attention: PackedAttention) -> None:
    tensor = torch.zeros(3, HEADS, CHANNELS)
    with pytest.raises(ValueError, match="thd"):
        attention(tensor, tensor, tensor, None)
