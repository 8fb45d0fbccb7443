"""Tokenizers for tests: a tiny byte-level BPE with templates of different habits, and where Qwen3's real one lies."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SYSTEM_CHATML = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}" + CHATML
)
VOCAB_SIZE = 320

QWEN3 = Path(__file__).parents[2].parent / "shared" / "models" / "qwen3-tokenizer"
needs_qwen3 = pytest.mark.skipif(not QWEN3.exists(), reason="Qwen3's tokenizer is not in ../shared/models")


def train_tokenizer() -> Tokenizer:
    """A byte-level BPE of 320 tokens: the bytes, some merges, and the three special tokens of ChatML."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["user assistant system What is plus It is Good! You help."] * 8, trainer)
    return tokenizer


@lru_cache
def _trained() -> str:
    return train_tokenizer().to_str()


def write_tokenizer(folder: Path, chat_template: str = CHATML) -> Path:
    """The tiny tokenizer as the files that a model folder has."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(_trained())
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "chat_template": chat_template,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder
