"""Generated conversations with the columns, shapes and lengths of OpenHermes-2.5.

A million real rows take 1.9 GB: mostly one exchange, some with a system prompt, few with several exchanges; answers of
a median of about 650 characters with a long tail. Words are drawn by Zipf's law; every tenth text is code, every
twentieth has characters beyond ASCII.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SYLLABLES = ("ka", "to", "mi", "ren", "sol", "ba", "ti", "on", "er", "the", "in", "lu", "st", "qui", "ple", "mor")
_FOREIGN = ("größe", "naïve", "東京", "данные", "αλφα", "café", "→", "😀")
_SOURCES = ("airoboros2.2", "CamelAI", "caseus_custom", "CogStackMed", "GPT-4 Comparison Data", "metamath", None)


def rows(num: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    chance = random.Random(seed)
    words = ["".join(chance.choices(_SYLLABLES, k=chance.randint(1, 4))) for _ in range(8000)]
    weights = list(itertools.accumulate(1 / (rank + 1) for rank in range(len(words))))
    # Words are drawn once: to draw each text's own would take longer than what is measured.
    pool = " ".join(chance.choices(words, cum_weights=weights, k=2_000_000))
    for number in range(num):
        yield {
            "conversations": list(_turns(chance, pool)),
            "source": chance.choice(_SOURCES),
            "category": chance.choice(("orca", "general", None)),
            "skip_prompt_formatting": chance.choice((False, None)),
            "custom_instruction": None,
            "idx": str(number),
            "system_prompt": None,
            "title": None,
        }


def write_jsonl(path: Path, num: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for row in rows(num):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _turns(chance: random.Random, pool: str) -> Iterator[dict[str, Any]]:
    if chance.random() < 0.1:
        yield {"from": "system", "value": _text(chance, pool, 200), "weight": None}
    for _ in range(1 if chance.random() < 0.92 else chance.randint(2, 8)):
        yield {"from": "human", "value": _text(chance, pool, 230), "weight": None}
        yield {"from": "gpt", "value": _text(chance, pool, 650), "weight": None}


def _text(chance: random.Random, pool: str, median_chars: int) -> str:
    num = min(int(chance.lognormvariate(0, 0.8) * median_chars) + 4, 50_000)
    start = chance.randrange(len(pool) - num)
    text = pool[start : start + num]
    if chance.random() < 0.1:
        lines = text.split(" e", 9)
        text = "```python\n" + "\n".join(f'    print("{line}")' for line in lines) + "\n```"
    if chance.random() < 0.05:
        text = f"{chance.choice(_FOREIGN)} {text} {chance.choice(_FOREIGN)}"
    return text
