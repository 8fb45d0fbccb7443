"""The kinds of question of the demo: each draws its facts, asks, answers, and leads to the answer in plain prose.

The prose is for the base model (`prose.py`); conversations use question and answer only. Answers are short and exact,
so that an exact match is a fair score. Questions about the world were rejected: a model of a few million parameters
could only learn them by heart, and the score would measure memory.

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
    """One drawn question. `prelude` tells its facts so that `answer` can follow in the same sentence or the next."""

    @classmethod
    def draw(cls, rng: Random) -> Self: ...
    @property
    def substance(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def answer(self) -> str: ...
    @property
    def prelude(self) -> str: ...


@dataclass(frozen=True)
class Gain:
    """A sum below 100 of a number of two digits and one of a single digit."""

    name: str
    thing: str
    start: int
    more: int

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(rng.choice(NAMES), rng.choice(COUNTABLES), rng.randint(11, 89), rng.randint(2, 9))

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
    def prelude(self) -> str:
        return f"{self._story} Now"

    @property
    def _story(self) -> str:
        return f"{self.name} keeps {self.start} {self.thing} and gets {self.more} more."


@dataclass(frozen=True)
class Loss:
    """A difference of a number of two digits and one of a single digit."""

    name: str
    thing: str
    start: int
    given: int

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(rng.choice(NAMES), rng.choice(COUNTABLES), rng.randint(21, 99), rng.randint(2, 9))

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
    def prelude(self) -> str:
        return f"{self._story} Then"

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
    def prelude(self) -> str:
        return f"{self._sentence} The card says"

    @property
    def _sentence(self) -> str:
        return f"{self.name} is {self.age} years old and lives in {self.city}."


@dataclass(frozen=True)
class Coloured:
    """A look-up: which of three things has the colour."""

    name: str
    things: tuple[tuple[str, str], ...]
    sought: int

    @classmethod
    def draw(cls, rng: Random) -> Self:
        things = zip(rng.sample(COLOURS, 3), rng.sample(TREASURES, 3), strict=True)
        return cls(rng.choice(NAMES), tuple(things), rng.randrange(3))

    @property
    def substance(self) -> str:
        return f"things {sorted(self.things)}"

    @property
    def question(self) -> str:
        return f"{self._story} What is {self._colour}?"

    @property
    def answer(self) -> str:
        return f"The {self._colour} {self.things[self.sought][1]}."

    @property
    def prelude(self) -> str:
        return f"{self._story} Here comes something {self._colour}!"

    @property
    def _colour(self) -> str:
        return self.things[self.sought][0]

    @property
    def _story(self) -> str:
        first, second, third = (f"a {colour} {thing}" for colour, thing in self.things)
        return f"{self.name} has {first}, {second} and {third}."


@dataclass(frozen=True)
class Ascending:
    """Three numbers of two digits in ascending order; the first digits differ."""

    numbers: tuple[int, ...]

    @classmethod
    def draw(cls, rng: Random) -> Self:
        return cls(tuple(10 * tens + rng.randrange(10) for tens in rng.sample(range(1, 10), 3)))

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
    def prelude(self) -> str:
        return f"The numbers {_listed(self.numbers)} in order are"


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
    def prelude(self) -> str:
        return f"The words {_listed(self.words)} in the order of the alphabet are"


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
    def prelude(self) -> str:
        return f"The words {_listed(self.words)} from last to first are"


KINDS: tuple[type[Kind], ...] = (Gain, Loss, Record, Coloured, Ascending, Alphabetical, Reversed)


def _listed(items: list[int] | list[str] | tuple[int, ...] | tuple[str, ...]) -> str:
    return ", ".join(str(item) for item in items)
