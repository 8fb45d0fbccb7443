"""Small models and data sets, made once a session: a Qwen3 of 60,000 random parameters and its ChatML tokenizer."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tests.engine.tiny import write_model
from tests.support.tokenizers import SYSTEM_CHATML


@pytest.fixture(scope="session")
def tiny_qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Hugging Face folder: random Qwen3 in fp32, byte-level BPE, plain ChatML template."""
    return write_model(tmp_path_factory.mktemp("tiny-qwen3"))


@pytest.fixture(scope="session")
def system_chatml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a template that injects a default system prompt, as those of Qwen2.5 and SmolLM2 do."""
    return write_model(tmp_path_factory.mktemp("system-chatml"), chat_template=SYSTEM_CHATML)


@pytest.fixture(scope="session")
def sums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """96 conversations of one or two exchanges about small sums, as JSONL."""
    numbers = random.Random(7)
    path = tmp_path_factory.mktemp("sums") / "sums.jsonl"
    rows = []
    for _ in range(96):
        messages = []
        for _ in range(numbers.randint(1, 2)):
            a, b = numbers.randint(0, 99), numbers.randint(0, 99)
            messages += [
                {"role": "user", "content": f"What is {a} plus {b}?"},
                {"role": "assistant", "content": f"It is {a + b}. " + "Good! " * numbers.randint(0, 6)},
            ]
        rows.append({"messages": messages})
    path.write_text("\n".join(map(json.dumps, rows)))
    return path
