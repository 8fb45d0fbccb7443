"""Microbatches as attention and loss see them, and the stream that prepares them ahead."""

from __future__ import annotations

import numpy as np
import pytest

from tunedeck.packing import EpochOrder, Layout
from worker.engine.data import BatchStream, Packer, Samples
from worker.engine.data.microbatch import build_microbatch

USER_FIRST = "{% if messages[0].role == 'assistant' %}{{ raise_exception('the user speaks first') }}{% endif %}"


def samples(*lengths: int) -> Samples:
    """Sample i holds the tokens 100·i, 100·i + 1, ...; all but its first two tokens are learned."""
    marks = [np.arange(length) >= 2 for length in lengths]
    return Samples(
        np.concatenate([100 * i + np.arange(n) for i, n in enumerate(lengths)]).astype(np.int32),
        np.concatenate(marks),
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        np.array([mark.sum() for mark in marks]),
    )


def test_a_microbatch_by_hand() -> None:
    microbatch = build_microbatch(samples(4, 3, 2), [2, 0], Layout(64, 8, 1), pad_id=9)
    assert microbatch.tokens_1T.tolist() == [[200, 201, 0, 1, 2, 3, 9, 9]]
    assert microbatch.loss_mask_1T.tolist() == [[0, 0, 0, 1, 1, 0, 0, 0]]
    assert [microbatch.labels_1T[0, i].item() for i in (3, 4)] == [2, 3]
    assert microbatch.position_ids_1T.tolist() == [[0, 1, 0, 1, 2, 3, 0, 1]]
    assert microbatch.cu_seqlens_Q1.tolist() == [0, 2, 6, 8]
    assert (microbatch.max_seqlen, microbatch.num_trained_tokens) == (4, 2)
    packed = microbatch.packed_seq_params()
    assert (packed.qkv_format, packed.max_seqlen_q, packed.max_seqlen_kv) == ("thd", 4, 4)
    assert packed.cu_seqlens_q_padded is None
    assert packed.cu_seqlens_kv_padded is None


def test_a_microbatch_for_context_parallelism_by_hand() -> None:
    layout = Layout(max_tokens=64, multiple=8, data_parallel_size=1, sequence_multiple=4)
    microbatch = build_microbatch(samples(4, 3, 2), [2, 1, 0], layout, pad_id=9)
    assert microbatch.tokens_1T.tolist() == [[200, 201, 9, 9, 100, 101, 102, 9, 0, 1, 2, 3, 9, 9, 9, 9]]
    assert microbatch.loss_mask_1T.tolist() == [[0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]]
    assert microbatch.trained_N.tolist() == [5, 9, 10]
    assert [microbatch.labels_1T[0, i].item() for i in (5, 9, 10)] == [102, 2, 3]
    assert microbatch.position_ids_1T.tolist() == [[0, 1, 2, 3] * 4]
    assert microbatch.cu_seqlens_Q1.tolist() == [0, 4, 8, 12, 16]
    assert microbatch.max_seqlen == 4


def test_the_part_of_a_context_parallel_rank_by_hand() -> None:
    layout = Layout(max_tokens=64, multiple=4, data_parallel_size=1, sequence_multiple=4)
    part = build_microbatch(samples(7, 4), [0, 1], layout, pad_id=9).part(1, 2)
    assert part.tokens_1T.tolist() == [[2, 3, 4, 5, 101, 102]]
    assert part.labels_1T.tolist() == [[3, 4, 5, 6, 102, 103]]
    assert part.position_ids_1T.tolist() == [[2, 3, 4, 5, 1, 2]]
    assert part.trained_N.tolist() == [0, 1, 2, 3, 4, 5]
    assert part.num_trained_tokens == 6
    assert (part.cu_seqlens_Q1.tolist(), part.max_seqlen) == ([0, 8, 12], 8)


def test_context_parallel_ranks_together_train_every_token_once() -> None:
    source = samples(*range(3, 40))
    layout = Layout(max_tokens=128, multiple=8, data_parallel_size=1, sequence_multiple=4)
    batches = [Packer(source, layout, 0, 0, rank, 2).batch(range(len(source))) for rank in range(2)]
    assert [len(m.tokens_1T[0]) for m in batches[0].microbatches] == [
        len(m.tokens_1T[0]) for m in batches[1].microbatches
    ]
    labels = np.concatenate([m.labels_1T[m.loss_mask_1T == 1].numpy() for b in batches for m in b.microbatches])
    assert sorted(labels) == sorted(source.tokens_N[source.learned_N])
    assert sum(m.num_trained_tokens for b in batches for m in b.microbatches) == batches[0].num_trained_tokens


def test_the_microbatches_of_an_interleaved_pipeline_are_equally_long() -> None:
    source = samples(*range(3, 40))
    layout = Layout(max_tokens=64, multiple=1, data_parallel_size=2, microbatch_multiple=2)
    batches = [Packer(source, layout, rank, pad_id=0).batch(range(len(source))) for rank in range(2)]
    lengths = [{m.tokens_1T.shape[1] for m in batch.microbatches} for batch in batches]
    assert [len(each) for each in lengths] == [1, 1]
    total = sum(m.tokens_1T.shape[1] for batch in batches for m in batch.microbatches)
    assert batches[0].num_tokens + batches[0].num_padded_tokens == total


def test_the_ranks_of_a_batch_together_train_every_token_once() -> None:
    source = samples(*range(3, 40))
    layout = Layout(max_tokens=64, multiple=4, data_parallel_size=3)
    batches = [Packer(source, layout, rank, pad_id=0).batch(range(len(source))) for rank in range(3)]
    microbatches = [microbatch for batch in batches for microbatch in batch.microbatches]
    assert len({len(batch.microbatches) for batch in batches}) == 1
    assert sum(int(m.loss_mask_1T.sum()) for m in microbatches) == batches[0].num_trained_tokens == sum(range(1, 38))
    labels = np.concatenate([m.labels_1T[m.loss_mask_1T == 1].numpy() for m in microbatches])
    assert sorted(labels) == sorted(source.tokens_N[source.learned_N])
    total = sum(m.tokens_1T.shape[1] for m in microbatches)
    assert batches[0].num_tokens + batches[0].num_padded_tokens == total
    assert batches[0].padding_share == pytest.approx(1 - len(source.tokens_N) / total)


def test_without_a_loss_per_token_every_conversation_weighs_the_same_on_all_ranks() -> None:
    source = samples(4, 12, 7, 5)
    layout = Layout(max_tokens=16, multiple=4, data_parallel_size=2, sequence_multiple=4)
    packers = [
        Packer(source, layout, rank, 0, context_rank, 2, per_token_loss=False)
        for rank in range(2)
        for context_rank in range(2)
    ]
    batches = [packer.batch(range(4)) for packer in packers]
    microbatches = [microbatch for batch in batches for microbatch in batch.microbatches]
    assert {batch.loss_denominator for batch in batches} == {4} == {sum(m.loss_denominator for m in microbatches)}
    assert sum(float(m.loss_mask_1T.sum()) for m in microbatches) == pytest.approx(4)
    # 12 tokens, of which 10 are learned: a tenth each.
    assert any(pytest.approx(weight) == 0.1 for m in microbatches for weight in m.loss_mask_1T.unique().tolist())


def test_a_rank_without_samples_gets_a_fully_masked_microbatch() -> None:
    batch = Packer(samples(5), Layout(64, 4, 2), data_parallel_rank=1, pad_id=7).batch([0])
    (microbatch,) = batch.microbatches
    assert microbatch.tokens_1T.tolist() == [[7, 7, 7, 7]]
    assert (microbatch.num_trained_tokens, batch.num_trained_tokens) == (0, 3)


def test_the_stream_ends_after_its_last_batch_and_may_begin_in_the_middle() -> None:
    packer = Packer(samples(*[4] * 10), Layout(64, 1, 1), 0, 0)
    order = EpochOrder(tuple(range(10)), 1, shuffle=True)

    def read(first: int) -> list[list[int]]:
        stream = BatchStream(packer, order, 4, first_sample=first, last_sample=12)
        read_tokens = [stream.next().microbatches[0].tokens_1T[0].tolist() for _ in range((12 - first) // 4)]
        with pytest.raises(IndexError, match="no further batch"):
            stream.next()
        stream.close()
        return read_tokens

    assert read(0)[1:] == read(4)


def test_a_fault_while_preparing_reaches_who_waits_for_the_batch() -> None:
    packer = Packer(samples(4), Layout(64, 1, 1), 0, 0)
    stream = BatchStream(packer, EpochOrder((0, 1), 1, shuffle=False), 2, first_sample=0, last_sample=2)
    with pytest.raises(IndexError, match="out of bounds"):
        stream.next()
    stream.close()
