"""One packed microbatch: samples end to end in a row of T tokens, as Megatron's `thd` attention wants them.

Shapes: T tokens of the microbatch, N of them trained, Q sequences in it. Padding is one more sequence, fully masked,
because the fused attention kernels want every token to belong to a sequence; the `*_padded` fields of PackedSeqParams
stay empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from megatron.core.packed_seq_params import PackedSeqParams
from torch import Tensor

from worker.engine.data.samples import Samples


@dataclass(frozen=True)
class Microbatch:
    """`labels_1T[0, i]` is the token that position i shall predict; where `loss_mask_1T` is 0 it does not count."""

    tokens_1T: Tensor  # int64
    labels_1T: Tensor  # int64
    loss_mask_1T: Tensor  # float32
    trained_N: Tensor  # int64: where the mask is not 0; known here, so that no device must be asked
    position_ids_1T: Tensor  # int64, restarts at 0 in each sequence
    cu_seqlens_Q1: Tensor  # int32
    max_seqlen: int
    num_trained_tokens: int

    def to(self, device: torch.device) -> Microbatch:
        """The same microbatch on another device; the copy is asynchronous where the source is page-locked."""
        return Microbatch(
            self.tokens_1T.to(device, non_blocking=True),
            self.labels_1T.to(device, non_blocking=True),
            self.loss_mask_1T.to(device, non_blocking=True),
            self.trained_N.to(device, non_blocking=True),
            self.position_ids_1T.to(device, non_blocking=True),
            self.cu_seqlens_Q1.to(device, non_blocking=True),
            self.max_seqlen,
            self.num_trained_tokens,
        )

    def packed_seq_params(self) -> PackedSeqParams:
        """What attention and rotary embedding need to know of the sequences' borders."""
        return PackedSeqParams(
            qkv_format="thd",
            cu_seqlens_q=self.cu_seqlens_Q1,
            cu_seqlens_kv=self.cu_seqlens_Q1,
            max_seqlen_q=self.max_seqlen,
            max_seqlen_kv=self.max_seqlen,
        )


def build_microbatch(samples: Samples, indices: Sequence[int], length: int, pad_id: int) -> Microbatch:
    """Pack the samples into `length` tokens, which must be enough."""
    parts = [samples.tokens(index) for index in indices]
    marks = [samples.learned(index) for index in indices]
    num_padding = length - sum(map(len, parts))
    if num_padding:
        parts.append(np.full(num_padding, pad_id, dtype=np.int32))
        marks.append(np.zeros(num_padding, dtype=np.bool_))
    lengths = [len(part) for part in parts]
    loss_mask_T = np.concatenate([_shifted(mark) for mark in marks])
    return Microbatch(
        tokens_1T=_row(np.concatenate(parts), np.int64),
        labels_1T=_row(np.concatenate([_shifted(part) for part in parts]), np.int64),
        loss_mask_1T=_row(loss_mask_T, np.float32),
        trained_N=torch.from_numpy(np.flatnonzero(loss_mask_T)),
        position_ids_1T=_row(np.concatenate([np.arange(n) for n in lengths]), np.int64),
        cu_seqlens_Q1=torch.from_numpy(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)),
        max_seqlen=max(lengths),
        num_trained_tokens=int(loss_mask_T.sum()),
    )


def _shifted(part_L: np.ndarray) -> np.ndarray:
    """What follows each position; the last position of a sequence predicts nothing."""
    shifted_L = np.zeros_like(part_L)
    shifted_L[:-1] = part_L[1:]
    return shifted_L


def _row(values_T: np.ndarray, dtype: type) -> Tensor:
    return torch.from_numpy(values_T.astype(dtype)).unsqueeze(0)
