"""What packing must obey under a spec: room of a microbatch, lengths that kernels accept, ranks to be fed alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tunedeck.resolved import ResolvedSpec


@dataclass(frozen=True)
class Layout:
    """Tokens are counted over all context-parallel ranks, which share each microbatch.

    `max_tokens`: room of a microbatch; samples are filled in up to it, or `micro_batch_size` at a time where that is
    not 0. `multiple`: what the length of a microbatch, `sequence_multiple`: what that of each sequence in it must be a
    multiple of. `microbatch_multiple`: what the number of microbatches of a rank must be a multiple of; more than 1 for
    an interleaved pipeline only.
    """

    max_tokens: int
    multiple: int
    data_parallel_size: int
    sequence_multiple: int = 1
    microbatch_multiple: int = 1
    micro_batch_size: int = 0
    balance_data: bool = True

    @property
    def capacity(self) -> int:
        """Tokens that may be packed so that the padded microbatch still holds at most `max_tokens`."""
        return max(self.max_tokens - self.max_tokens % self.multiple, self.multiple)

    def padded(self, num_tokens: int) -> int:
        """The length of a microbatch of that many tokens; never 0, because a rank without work must still take part."""
        return max(-(-num_tokens // self.multiple), 1) * self.multiple

    def padded_sequence(self, num_tokens: int) -> int:
        """The room that a sample of that many tokens takes."""
        return -(-num_tokens // self.sequence_multiple) * self.sequence_multiple


def layout_of(spec: ResolvedSpec) -> Layout:
    """Context parallelism cuts each sequence into 2 × its size pieces (zig-zag). Sequence parallelism splits a
    microbatch over the tensor-parallel ranks, and the blockwise FP8 kernels want 128 tokens on each rank. On a GPU 16
    are wanted for BF16 too: Transformer Engine's tuned norm kernels refuse numbers of rows that 4 does not divide, and
    kernels compiled for multiples of 16 are not compiled once more for the others."""
    tensor, context = spec.parallelism.tensor_model_parallel_size, spec.parallelism.context_parallel_size
    zig_zag = 2 * context if context > 1 else 1
    on_each = tensor if spec.parallelism.sequence_parallel else 1
    if spec.precision.fp8_format != "none":
        on_each = 128 * tensor
    elif spec.hardware.device == "cuda":
        on_each = 16 * tensor
    interleaved = spec.parallelism.virtual_pipeline_model_parallel_size > 1
    return Layout(
        max_tokens=spec.batching.max_tokens_per_gpu * context,
        multiple=math.lcm(on_each * context, zig_zag),
        data_parallel_size=spec.hardware.data_parallel_size,
        sequence_multiple=zig_zag,
        microbatch_multiple=spec.parallelism.pipeline_model_parallel_size if interleaved else 1,
        micro_batch_size=0 if spec.batching.use_dynamic_batch_size else spec.batching.micro_batch_size,
        balance_data=spec.batching.balance_data,
    )
