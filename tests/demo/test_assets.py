"""What the demo ships: its data set, its spec, and a base model that transformers loads and that cannot chat yet."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tunedeck.demo.assets import BASE_FOLDER, NUM_CONVERSATIONS, demo_spec, write_base_model, write_dataset
from tunedeck.demo.prose import plain_texts
from tunedeck.demo.task import conversations, held_out
from tunedeck.errors import ModelInvalid
from worker.exact_match import exact_match

MAX_SHIPPED_BYTES = 10_000_000


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "base"
    write_base_model(folder)
    return folder


def test_the_data_set_is_the_same_every_time_and_one_row_a_line(tmp_path: Path) -> None:
    first, again = tmp_path / "a" / "questions.jsonl", tmp_path / "again.jsonl"
    write_dataset(first)
    write_dataset(again)
    lines = first.read_text(encoding="utf-8").splitlines()
    assert first.read_bytes() == again.read_bytes()
    assert len(lines) == NUM_CONVERSATIONS
    assert all(json.loads(line)["messages"][-1]["role"] == "assistant" for line in lines)
    assert [path.name for path in first.parent.iterdir()] == ["questions.jsonl"]


def test_the_shipped_base_is_small_and_holds_nothing_but_data() -> None:
    shipped = [path for path in BASE_FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in shipped) <= MAX_SHIPPED_BYTES
    assert {path.suffix for path in shipped} <= {".json", ".jinja", ".safetensors"}


def test_the_base_is_a_qwen3_model_of_a_few_million_parameters_that_two_ranks_can_split(base: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    config = model.config
    assert type(model).__name__ == "Qwen3ForCausalLM"
    assert 1_000_000 <= model.num_parameters() <= 5_000_000
    sizes = (config.num_attention_heads, config.num_key_value_heads, config.intermediate_size, config.vocab_size)
    assert [size % 2 for size in sizes] == [0, 0, 0, 0]


def test_the_tokenizer_writes_chatml(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    messages = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}]
    rendered = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert rendered == (
        "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert len(tokenizer) <= AutoModelForCausalLM.from_pretrained(base).config.vocab_size
    assert tokenizer.eos_token == "<|im_end|>"


@pytest.mark.parametrize(
    "text", ["Mira keeps 14 stamps.", "Grüße, 你好 🙂\n\ttabs", " two  spaces ", "<|im_start|>user\n"]
)
def test_the_tokenizer_gives_back_any_text(base: Path, text: str) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_every_digit_is_a_token_of_its_own(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    assert tokenizer.tokenize("5807") == ["5", "8", "0", "7"]


def test_the_longest_conversation_fits_into_a_microbatch_of_the_demo(base: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = (row["messages"] for row in conversations(NUM_CONVERSATIONS, 1))
    longest = max(len(tokenizer.apply_chat_template(messages)["input_ids"]) for messages in rows)
    assert longest <= demo_spec().batching.max_tokens_per_gpu


def test_the_base_knows_its_prose_but_cannot_answer_one_question_in_twenty(base: Path) -> None:
    model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
    texts = ["<|endoftext|>" + text.given for text in itertools.islice(plain_texts(99), 50)]
    follows = [text.follows + "<|endoftext|>" for text in itertools.islice(plain_texts(99), 50)]
    losses = [_loss_of_follow(model, tokenizer, *text) for text in zip(texts, follows, strict=True)]
    assert sum(losses) / len(losses) < 0.3
    score = exact_match(base, held_out(100))
    assert score["num_questions"] == 100
    assert score["exact_match"] < 0.05


def _loss_of_follow(model: Any, tokenizer: Any, given: str, follows: str) -> float:
    """Mean cross entropy, in nats, of the tokens of `follows` after `given`."""
    given_ids, follows_ids = tokenizer.encode(given), tokenizer.encode(follows)
    labels_BS = torch.tensor([[-100] * len(given_ids) + follows_ids])
    with torch.inference_mode():
        return float(model(torch.tensor([given_ids + follows_ids]), labels=labels_BS).loss)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelInvalid, match="cannot be loaded"):
        exact_match(tmp_path, held_out(1))
