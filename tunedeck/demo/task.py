"""The demo task: seeded conversations to train on and held-out questions to score, disjoint by construction.

Every question has a substance (`kinds.py`); a checksum of it puts the question on one side of the split for ever. So
no seed and no number of rows can carry a held-out question into the training data, nor into the text that the base
model is pretrained on. A split of one finished list was rejected: asking for more rows would change the sides.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tunedeck.demo.kinds import KINDS, Kind
from tunedeck.errors import BadInput

HELD_OUT_SHARE = 12
MAX_HELD_OUT = 280
SHARE_OF_LONGER_CONVERSATIONS = 0.25
Message = dict[str, str]


@dataclass(frozen=True)
class Question:
    """A held-out question. `messages` is the prompt as a conversation, `answer` the exact text that is right."""

    kind: str
    messages: tuple[Message, ...]
    answer: str


def held_out_substance(substance: str) -> bool:
    """The side of the split: true for one substance in HELD_OUT_SHARE."""
    return zlib.crc32(substance.encode()) % HELD_OUT_SHARE == 0


def conversations(num: int, seed: int) -> Iterator[dict[str, list[Message]]]:
    """`num` rows `{"messages": [...]}`; most ask one question, some two. The same seed gives the same rows."""
    rng = Random(seed)
    for _ in range(num):
        num_questions = 2 if rng.random() < SHARE_OF_LONGER_CONVERSATIONS else 1
        exchanges = [_exchange(training_draw(rng)) for _ in range(num_questions)]
        yield {"messages": [message for exchange in exchanges for message in exchange]}


def training_draw(rng: Random) -> Kind:
    """One question of a random kind from the training side of the split."""
    kind = rng.choice(KINDS)
    while held_out_substance((drawn := kind.draw(rng)).substance):
        pass
    return drawn


def held_out(num: int = 100) -> list[Question]:
    """The first `num` held-out questions, all kinds in turn, no two of the same substance.

    Raises BadInput above MAX_HELD_OUT: only so many different sums and differences exist on that side of the split.
    """
    if not 1 <= num <= MAX_HELD_OUT:
        raise BadInput.at(
            "num", num, f"{num} held-out questions cannot be had.", f"Ask for 1 to {MAX_HELD_OUT} questions."
        )
    rng = Random(2026)  # not the draw on which the shipped base was chosen
    questions: list[Question] = []
    seen: set[str] = set()
    while len(questions) < num:
        drawn = KINDS[len(questions) % len(KINDS)].draw(rng)
        if not held_out_substance(drawn.substance) or drawn.substance in seen:
            continue
        seen.add(drawn.substance)
        questions.append(Question(type(drawn).__name__, tuple(_exchange(drawn)[:1]), drawn.answer))
    return questions


def _exchange(drawn: Kind) -> list[Message]:
    return [{"role": "user", "content": drawn.question}, {"role": "assistant", "content": drawn.answer}]
