"""The plain text that the demo's base model is pretrained on: the skills that the questions ask for, no conversation.

A text is what is given and what follows from it. Only what follows is trained: the facts are drawn at random, so
learning to predict them would cost a small model most of its steps and teach it nothing. Held-out substances are left
out here too. Riddles and stories ask for the whole skill; drills, shorter, train one step of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import NamedTuple

from tunedeck.demo.task import held_out_substance, training_draw
from tunedeck.demo.words import CITIES, COLOURS, COUNTABLES, NAMES, TREASURES, WORDS

SHARE_OF_DRILLS = 0.3
SHARE_OF_RIDDLES = 0.35


class PlainText(NamedTuple):
    given: str
    follows: str


def plain_texts(seed: int) -> Iterator[PlainText]:
    """Without end; the same seed gives the same texts."""
    rng = Random(seed)
    while True:
        form = rng.random()
        if form < SHARE_OF_DRILLS:
            yield rng.choice(DRILLS)(rng)
            continue
        drawn = training_draw(rng)
        if form < SHARE_OF_DRILLS + SHARE_OF_RIDDLES:
            yield PlainText(drawn.question, f"\n{drawn.answer}")
        else:
            yield PlainText(drawn.prelude, f" {drawn.answer}")


def sums(rng: Random) -> PlainText:
    first, second = _allowed_pair(rng, "+", range(11, 90))
    return PlainText(f"{first} and {second} make", f" {first + second}")


def differences(rng: Random) -> PlainText:
    first, second = _allowed_pair(rng, "-", range(21, 100))
    return PlainText(f"{first} less {second} is", f" {first - second}")


def smaller(rng: Random) -> PlainText:
    first, second = (10 * tens + rng.randrange(10) for tens in rng.sample(range(1, 10), 2))
    return PlainText(f"Of {first} and {second} the smaller is", f" {min(first, second)}")


def earlier(rng: Random) -> PlainText:
    first, second = rng.sample(WORDS, 2)
    return PlainText(f"Of {first} and {second} the alphabet puts first", f" {min(first, second)}")


def repetition(rng: Random) -> PlainText:
    """Copying, the first thing that attention has to learn."""
    numbers = [str(number) for number in range(10, 100)]
    words = rng.sample(NAMES + CITIES + COUNTABLES + TREASURES + COLOURS + WORDS + numbers, rng.randint(3, 6))
    return PlainText(f"{', '.join(words)}; again:", f" {', '.join(words)}")


def counting(rng: Random) -> PlainText:
    start = rng.randint(2, 95)
    return PlainText(f"Counting: {start},", f" {start + 1}, {start + 2}, {start + 3}")


DRILLS: tuple[Callable[[Random], PlainText], ...] = (sums, differences, smaller, earlier, repetition, counting)


def _allowed_pair(rng: Random, sign: str, firsts: range) -> tuple[int, int]:
    while True:
        first, second = rng.choice(firsts), rng.randint(2, 9)
        if not held_out_substance(f"{first} {sign} {second}"):
            return first, second
