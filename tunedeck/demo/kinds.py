"""The kinds of question of the demo: each draws its facts, asks, answers, and tells the same facts as plain prose.

The prose is what the base model is pretrained on, so that it has the skill and fine-tuning teaches the conversation.
Answers are short and definite, so that an exact match is a fair score. Questions about the world were rejected: a model
of a few million parameters could only learn them by heart, and the score would measure memory.

`substance` is what an answer depends on. Two questions with the same substance differ at most in names and phrasing, so
held-out questions are set apart by substance, not by their text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Protocol, Self

from tunedeck.demo.words import CITIES, COLOURS, COUNTABLES, NAMES, TREASURES, WORDS


class Kind(Protocol):
    """One drawn question. `told` is the same knowledge as prose, without question, answer or roles."""

    @classmethod
    def draw(cls, rng: Random) -> Self: ...
    @property
    def substance(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def told(self) -> str: ...


@dataclass(frozen=True)
class Gain:
    """A sum of two numbers below 100."""

    name: str
    thing: str
    start: int
    more: int

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(rng.choice(NAMES), rng.choice(COUNTABLES), rng.randint(11, 69), rng.randint(2, 29))

    @property
    def substance(self) -> str:
        return f"{self.start} + {self.more}"

    @property
    def question(self) -> str:
        return f"{self._story} How many {self.thing} does {self.name} have now?"

    @property
    def answer(self) -> str:
        return f"{self.name} has {self.start + self.more} {self.thing}."

    @property
    def told(self) -> str:
        return f"{self._story} Now {self.answer}"

    @property
    def _story(self) -> str:
        return f"{self.name} keeps {self.start} {self.thing} and gets {self.more} more."


@dataclass(frozen=True)
class Loss:
    """A difference of two numbers below 100."""

    name: str
    thing: str
    start: int
    given: int

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(rng.choice(NAMES), rng.choice(COUNTABLES), rng.randint(31, 98), rng.randint(2, 29))

    @property
    def substance(self) -> str:
        return f"{self.start} - {self.given}"

    @property
    def question(self) -> str:
        return f"{self._story} How many {self.thing} are left?"

    @property
    def answer(self) -> str:
        return f"{self.start - self.given} {self.thing} are left."

    @property
    def told(self) -> str:
        return f"{self._story} Then {self.answer}"

    @property
    def _story(self) -> str:
        return f"{self.name} had {self.start} {self.thing} and gave {self.given} away."


@dataclass(frozen=True)
class Record:
    """A sentence about a person as JSON."""

    name: str
    age: int
    city: str

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(rng.choice(NAMES), rng.randint(18, 89), rng.choice(CITIES))

    @property
    def substance(self) -> str:
        return f"record of {self.name}, {self.age}, {self.city}"

    @property
    def question(self) -> str:
        return f"Write this as JSON: {self._sentence}"

    @property
    def answer(self) -> str:
        return json.dumps({"name": self.name, "age": self.age, "city": self.city})

    @property
    def told(self) -> str:
        return f"{self._sentence} The card says {self.answer}."

    @property
    def _sentence(self) -> str:
        return f"{self.name} is {self.age} years old and lives in {self.city}."


@dataclass(frozen=True)
class Place:
    """A look-up: which of three boxes holds the thing."""

    boxes: tuple[tuple[str, str], ...]
    sought: int

    @classmethod
    def draw(cls, rng: Random) -> Self:
        boxes = zip(rng.sample(COLOURS, 3), rng.sample(TREASURES, 3), strict=True)
        return cls(tuple(boxes), rng.randrange(3))

    @property
    def substance(self) -> str:
        return f"boxes {sorted(self.boxes)}"

    @property
    def question(self) -> str:
        return f"{self._story} Where is the {self._treasure}?"

    @property
    def answer(self) -> str:
        return f"The {self._treasure} is in the {self.boxes[self.sought][0]} box."

    @property
    def told(self) -> str:
        return f"{self._story} {self.answer}"

    @property
    def _treasure(self) -> str:
        return self.boxes[self.sought][1]

    @property
    def _story(self) -> str:
        first, second, third = (f"the {colour} box holds a {treasure}" for colour, treasure in self.boxes)
        return f"{first.capitalize()}, {second} and {third}."


@dataclass(frozen=True)
class Ascending:
    """Three numbers in ascending order."""

    numbers: tuple[int, ...]

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(tuple(rng.sample(range(2, 100), 3)))

    @property
    def substance(self) -> str:
        return f"numbers {sorted(self.numbers)}"

    @property
    def question(self) -> str:
        return f"Sort these numbers: {_listed(self.numbers)}."

    @property
    def answer(self) -> str:
        return _listed(sorted(self.numbers))

    @property
    def told(self) -> str:
        return f"The numbers {_listed(self.numbers)} in order are {self.answer}."


@dataclass(frozen=True)
class Alphabetical:
    """Three words in alphabetical order."""

    words: tuple[str, ...]

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(tuple(rng.sample(WORDS, 3)))

    @property
    def substance(self) -> str:
        return f"alphabet {sorted(self.words)}"

    @property
    def question(self) -> str:
        return f"Put these words in alphabetical order: {_listed(self.words)}."

    @property
    def answer(self) -> str:
        return _listed(sorted(self.words))

    @property
    def told(self) -> str:
        return f"The words {_listed(self.words)} in the order of the alphabet are {self.answer}."


@dataclass(frozen=True)
class Reversed:
    """Four words said backwards."""

    words: tuple[str, ...]

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(tuple(rng.sample(WORDS, 4)))

    @property
    def substance(self) -> str:
        return f"reversed {self.words}"

    @property
    def question(self) -> str:
        return f"Say these words in reverse: {_listed(self.words)}."

    @property
    def answer(self) -> str:
        return _listed(self.words[::-1])

    @property
    def told(self) -> str:
        return f"The words {_listed(self.words)} from last to first are {self.answer}."


KINDS: tuple[type[Kind], ...] = (Gain, Loss, Record, Place, Ascending, Alphabetical, Reversed)


def _listed(items: list[int] | list[str] | tuple[int, ...] | tuple[str, ...]) -> str:
    return ", ".join(str(item) for item in items)
