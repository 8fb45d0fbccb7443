"""Weights of messages on their way from the file to the loss."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.tunedeck.tokens.test_preparation import source
from tunedeck.conversations.scan import read_conversations
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.packing import Layout
from tunedeck.tokens import ChatTokenizer, loss_mask, mark
from tunedeck.tokens.cache import TokenCache
from worker.engine.data import Batch, Packer, Samples

# Logits of three words: the losses of label 0, 1 and 2 are log(1 + 2 + 5) less the logarithm of its own.
LOGITS_V = torch.tensor([1.0, 2.0, 5.0]).log()


def answered(*weights: float | None) -> dict[str, Any]:
    answers = [{"role": "assistant", "content": "It is 3.", "weight": weight} for weight in weights]
    return {"messages": [{"role": "user", "content": "1?"}, *answers]}


def two_messages() -> Samples:
    """One conversation each: label 1 with a weight of 1; labels 2 and 0 with a weight of 0.25."""
    return Samples(
        tokens_N=np.array([0, 1, 0, 2, 0], np.int32),
        learned_N=np.array([False, True, False, True, True]),
        offsets_S1=np.array([0, 2, 5]),
        num_learned_S=np.array([1, 2]),
        weighted_R2=np.array([[3, 5]]),
        weights_R=np.array([0.25], np.float32),
    )


def batches(samples: Samples, *, per_token_loss: bool) -> list[Batch]:
    """Of each of two ranks."""
    return [Packer(samples, Layout(4, 1, 2), rank, 0, per_token_loss=per_token_loss).batch([0, 1]) for rank in range(2)]


@pytest.mark.parametrize(
    ("per_token", "expected"),
    [
        (True, (1 * np.log(8 / 2) + 0.25 * np.log(8 / 5) + 0.25 * np.log(8 / 1)) / 1.5),
        (False, (np.log(8 / 2) + (np.log(8 / 5) + np.log(8 / 1)) / 2) / 2),
    ],
)
def test_the_loss_of_two_messages_by_hand(per_token: bool, expected: float) -> None:
    made = batches(two_messages(), per_token_loss=per_token)
    total = 0.0
    for microbatch in (each for batch in made for each in batch.microbatches):
        logits_TV = LOGITS_V.expand(microbatch.labels_1T.shape[1], -1)
        losses_T = torch.nn.functional.cross_entropy(logits_TV, microbatch.labels_1T[0], reduction="none")
        total += float(losses_T @ microbatch.loss_mask_1T[0])
    assert total / made[0].loss_denominator == pytest.approx(expected, rel=1e-6)
    assert {batch.num_trained_tokens for batch in made} == {3}
    assert {batch.loss_weight for batch in made} == {1.5 if per_token else 2}
    # What Megatron adds up over the ranks.
    assert sum(each.loss_denominator for batch in made for each in batch.microbatches) == made[0].loss_denominator


def test_equal_weights_of_a_batch_change_no_bit() -> None:
    plain = replace(two_messages(), weights_R=np.array([1.0], np.float32))
    halved = replace(plain, weighted_R2=np.array([[1, 2], [3, 5]]), weights_R=np.array([0.5, 0.5], np.float32))
    for per_token in (True, False):
        masks = [
            [
                each.loss_mask_1T.tolist()
                for batch in batches(samples, per_token_loss=per_token)
                for each in batch.microbatches
            ]
            for samples in (plain, halved)
        ]
        assert masks[0] == masks[1]


def test_kept_tokens_have_the_weights_of_their_messages(tmp_path: Path) -> None:
    """More rows than a chunk, so that stretches are counted from the beginning of the file."""
    given = source(
        tmp_path / "data.jsonl",
        [answered(None, 0.1, 3), *[answered(None)] * 300, answered(0, 0.25), answered(100, None)],
    )
    folder = TokenCache(tmp_path / "cache").folder(given)
    samples = Samples.open(folder)
    tokenizer = ChatTokenizer.load(BASE_FOLDER)
    mask = loss_mask("qwen", tokenizer)
    rows = [conversation for _, conversation in read_conversations(given.path, given.reading) if conversation]
    expected = [sample.weights() for sample in mark(tokenizer, [mask(row) for row in rows])]
    assert len(samples) == 303
    for index, weights in enumerate(expected):
        np.testing.assert_array_equal(samples.weights(index), np.array(weights, np.float32))
    np.testing.assert_allclose(samples.sums_of_weights, [sum(weights) for weights in expected], rtol=1e-6)
    # Two integers and a weight for each of four messages; nothing for the others.
    assert samples.weights_R.tolist() == pytest.approx([0.1, 3, 0.25, 100])
