"""Global batches, one after the other, each prepared in a thread while the one before it trains.

A thread is enough: packing is array copies, which take milliseconds and release the interpreter for most of them. A
DataLoader with worker processes was rejected: its processes would have to be supervised too.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from tunedeck.flops import Work, causal_pairs
from tunedeck.packing import Bin, EpochOrder, Layout, pack, padded_lengths, padded_tokens
from worker.engine.data.microbatch import Microbatch, build_microbatch, num_learning
from worker.engine.data.samples import Samples


@dataclass(frozen=True)
class Batch:
    """This rank's microbatches of a global batch, and counts over all ranks."""

    microbatches: tuple[Microbatch, ...]
    num_tokens: int
    num_trained_tokens: int
    loss_denominator: int  # trained tokens, or conversations
    loss_weight: float  # how much its loss counts beside that of other batches: sum of weights, or conversations
    num_padded_tokens: int
    num_attended_pairs: int  # of a token and one that it attends to, as flops.py counts them

    @property
    def work(self) -> Work:
        """What the model has to do for it, over all ranks. Only trained tokens get logits."""
        return Work(self.num_tokens, self.num_attended_pairs, self.num_trained_tokens)

    @property
    def padding_share(self) -> float:
        return self.num_padded_tokens / (self.num_tokens + self.num_padded_tokens)


@dataclass(frozen=True)
class Packer:
    """Turns indices of samples into this rank's share of a global batch, in page-locked memory for a GPU."""

    samples: Samples
    layout: Layout
    data_parallel_rank: int
    pad_id: int
    context_parallel_rank: int = 0
    context_parallel_size: int = 1
    per_token_loss: bool = True
    is_page_locked: bool = False

    def batch(self, indices: Sequence[int]) -> Batch:
        lengths = [self.samples.length(index) for index in indices]
        plan = pack(lengths, self.layout)
        num_tokens = sum(lengths)
        chosen = list(indices)
        num_trained_tokens = int(self.samples.num_learned_S[chosen].sum())
        sum_of_weights = float(self.samples.sums_of_weights[chosen].sum())
        denominator, weight = num_trained_tokens, sum_of_weights
        if not self.per_token_loss:
            denominator = weight = num_learning(self.samples, chosen)
        return Batch(
            self._microbatches(indices, plan[self.data_parallel_rank], lengths, num_trained_tokens / sum_of_weights),
            num_tokens=num_tokens,
            num_trained_tokens=num_trained_tokens,
            loss_denominator=denominator,
            loss_weight=weight,
            num_padded_tokens=padded_tokens(plan, lengths, self.layout) - num_tokens,
            num_attended_pairs=causal_pairs(lengths),
        )

    def _microbatches(
        self, indices: Sequence[int], bins: list[Bin], lengths: Sequence[int], weight_scale: float
    ) -> tuple[Microbatch, ...]:
        """Megatron adds up the divisor of a batch in whole numbers. So weights are scaled to a mean of 1 over the
        trained tokens of the global batch, whose number then is the divisor."""
        made = (
            build_microbatch(
                self.samples,
                [indices[position] for position in bin_],
                self.layout,
                self.pad_id,
                at_least=length,
                per_token_loss=self.per_token_loss,
                weight_scale=weight_scale,
            ).part(self.context_parallel_rank, self.context_parallel_size)
            for bin_, length in zip(bins, padded_lengths(bins, lengths, self.layout), strict=True)
        )
        return tuple(microbatch.page_locked() if self.is_page_locked else microbatch for microbatch in made)


class BatchStream:
    """The batches of a run, from sample number `first_sample` of the endless order to `last_sample` (exclusive)."""

    def __init__(
        self, packer: Packer, order: EpochOrder, batch_size: int, *, first_sample: int, last_sample: int
    ) -> None:
        self._packer = packer
        self._order = order
        self._batch_size = batch_size
        self._position = first_sample
        self._last = last_sample
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="next-batch")
        self._coming: Future[Batch] | None = None
        self._ask()

    def next(self) -> Batch:
        """The next batch, waiting for it if need be; the one behind it is begun at once."""
        if self._coming is None:
            raise IndexError("the run has no further batch")
        batch = self._coming.result()
        self._ask()
        return batch

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)

    def _ask(self) -> None:
        if self._position >= self._last:
            self._coming = None
            return
        self._coming = self._thread.submit(self._prepare, self._position)
        self._position += self._batch_size

    def _prepare(self, start: int) -> Batch:
        return self._packer.batch(self._order.take(start, self._batch_size))
