"""One packed microbatch: samples end to end in a row of T tokens, as Megatron's `thd` attention wants them.

Shapes: T tokens of the microbatch on this rank, N of them trained, Q sequences in it. Padding is one more sequence,
fully masked, because the fused attention kernels want every token to belong to a sequence; the `*_padded` fields of
PackedSeqParams stay empty. Context parallelism wants every sequence to have a multiple of 2 × its size: a sample is
padded at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from megatron.core.packed_seq_params import PackedSeqParams
from torch import Tensor

from tunedeck.packing import Layout
from worker.engine.context_parallel import held_tokens
from worker.engine.data.samples import Samples


@dataclass(frozen=True)
class Microbatch:
    """`labels_1T[0, i]` is the token that position i shall predict; `loss_mask_1T` is its weight in the loss."""

    tokens_1T: Tensor  # int64
    labels_1T: Tensor  # int64
    loss_mask_1T: Tensor  # float32
    trained_N: Tensor  # int64: where the mask is not 0; known here, so that no device must be asked
    position_ids_1T: Tensor  # int64, restarts at 0 in each sequence
    cu_seqlens_Q1: Tensor  # int32
    max_seqlen: int
    num_trained_tokens: int
    loss_denominator: int  # its share in what the loss of a batch is divided by

    def to(self, device: torch.device) -> Microbatch:
        """The same microbatch on another device; the copy is asynchronous where the source is page-locked."""
        return self._mapped(lambda tensor: tensor.to(device, non_blocking=True))

    def page_locked(self) -> Microbatch:
        """The same in memory that a GPU reads by itself. A copy from any other memory first waits until the GPU has
        done all it was given, and the host loses its lead over it."""
        return self._mapped(Tensor.pin_memory)

    def _mapped(self, change: Callable[[Tensor], Tensor]) -> Microbatch:
        return replace(
            self,
            tokens_1T=change(self.tokens_1T),
            labels_1T=change(self.labels_1T),
            loss_mask_1T=change(self.loss_mask_1T),
            trained_N=change(self.trained_N),
            position_ids_1T=change(self.position_ids_1T),
            cu_seqlens_Q1=change(self.cu_seqlens_Q1),
        )

    def part(self, rank: int, size: int) -> Microbatch:
        """The tokens that context-parallel rank `rank` of `size` holds. Borders and `max_seqlen` stay those of whole
        sequences: attention and rotary embedding find the places of the tokens from them."""
        if size == 1:
            return self
        held = torch.from_numpy(held_tokens(self.cu_seqlens_Q1.diff().tolist(), rank, size))
        loss_mask_1T = self.loss_mask_1T[:, held]
        trained_N = loss_mask_1T[0].nonzero().squeeze(1)
        return replace(
            self,
            tokens_1T=self.tokens_1T[:, held],
            labels_1T=self.labels_1T[:, held],
            loss_mask_1T=loss_mask_1T,
            trained_N=trained_N,
            position_ids_1T=self.position_ids_1T[:, held],
            num_trained_tokens=len(trained_N),
            loss_denominator=self.loss_denominator if rank == 0 else 0,
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


def build_microbatch(
    samples: Samples,
    indices: Sequence[int],
    layout: Layout,
    pad_id: int,
    at_least: int = 0,
    *,
    per_token_loss: bool = True,
    weight_scale: float = 1.0,
) -> Microbatch:
    """Pack the samples end to end, each padded to a whole sequence of the layout, and all to a whole microbatch of
    `at_least` so many tokens.

    The weights of tokens are multiplied by `weight_scale`. Without `per_token_loss` each sample counts as much as any
    other: its trained tokens share a weight of 1, in proportion to theirs.
    """
    lengths = [samples.length(index) for index in indices]
    rooms = [layout.padded_sequence(length) for length in lengths]
    num_packed = sum(rooms)
    length = max(layout.padded(num_packed), at_least)
    if length > num_packed:
        rooms.append(length - num_packed)
    starts_Q = np.cumsum([0, *rooms[:-1]])
    tokens_T = np.full(length, pad_id, dtype=np.int64)
    labels_T = np.zeros(length, dtype=np.int64)
    loss_mask_T = np.zeros(length, dtype=np.float32)
    for index, start, sample_length in zip(indices, starts_Q, lengths, strict=False):
        stop = start + sample_length
        tokens_L = samples.tokens(index)
        tokens_T[start:stop] = tokens_L
        # Each position predicts what follows it; the last one of a sample predicts nothing.
        labels_T[start : stop - 1] = tokens_L[1:]
        weights_L = samples.weights(index)[1:]
        scale = weight_scale if per_token_loss else 1 / (weights_L.sum() or 1)
        loss_mask_T[start : stop - 1] = weights_L * scale
    trained_N = np.flatnonzero(loss_mask_T)
    return Microbatch(
        tokens_1T=torch.from_numpy(tokens_T).unsqueeze(0),
        labels_1T=torch.from_numpy(labels_T).unsqueeze(0),
        loss_mask_1T=torch.from_numpy(loss_mask_T).unsqueeze(0),
        trained_N=torch.from_numpy(trained_N),
        position_ids_1T=torch.from_numpy(np.arange(length) - np.repeat(starts_Q, rooms)).unsqueeze(0),
        cu_seqlens_Q1=torch.from_numpy(np.append(starts_Q, length).astype(np.int32)),
        max_seqlen=max(rooms),
        num_trained_tokens=len(trained_N),
        loss_denominator=len(trained_N) if per_token_loss else num_learning(samples, indices),
    )


def num_learning(samples: Samples, indices: Sequence[int]) -> int:
    """How many of the samples have something to learn."""
    return int(np.count_nonzero(samples.num_learned_S[list(indices)]))
