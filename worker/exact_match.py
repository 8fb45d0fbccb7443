"""Scores a Hugging Face folder on the demo's held-out questions: the share of answers that match to the letter.

Greedy generation with transformers, not with the engine: what is scored is the exported folder as a user would run it.

    python -m worker.exact_match MODEL_FOLDER [--questions N] [--json]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from tunedeck.demo.task import Question, held_out
from tunedeck.errors import ModelInvalid

END_OF_TURN = "<|im_end|>"
MAX_NEW_TOKENS = 48
NUM_EXAMPLES = 7


def answers(folder: Path, questions: Sequence[Question]) -> list[str]:
    """The model's greedy answers, all questions in one left-padded batch; the end-of-turn token cuts each off.

    An answer that never ends within MAX_NEW_TOKENS keeps its text, which then cannot match.
    Raises ModelInvalid for a folder that transformers cannot load.
    """
    tokenizer, model = _load(folder)
    prompts = [list(question.messages) for question in questions]
    tokens = tokenizer.apply_chat_template(
        prompts, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
    )
    end_id = tokenizer.convert_tokens_to_ids(END_OF_TURN)
    with torch.inference_mode():
        generated_QT = model.generate(
            **tokens, max_new_tokens=MAX_NEW_TOKENS, do_sample=False, eos_token_id=end_id, pad_token_id=end_id
        )
    # Q: questions, T: prompt and answer, both padded
    replies_QT = generated_QT[:, tokens["input_ids"].shape[1] :]
    texts = tokenizer.batch_decode(replies_QT, skip_special_tokens=False)
    return [text.partition(END_OF_TURN)[0] if END_OF_TURN in text else text + "…" for text in texts]


def exact_match(folder: Path, questions: Sequence[Question]) -> dict[str, Any]:
    """`exact_match` (share of 1), `num_questions`, `by_kind` (share of each kind) and the first few `examples`."""
    replies = answers(folder, questions)
    rights = [reply == question.answer for question, reply in zip(questions, replies, strict=True)]
    by_kind: dict[str, list[bool]] = {}
    for question, right in zip(questions, rights, strict=True):
        by_kind.setdefault(question.kind, []).append(right)
    examples = [
        {"question": question.messages[-1]["content"], "answer": question.answer, "reply": reply}
        for question, reply in zip(questions[:NUM_EXAMPLES], replies, strict=False)
    ]
    return {
        "exact_match": sum(rights) / len(rights),
        "num_questions": len(rights),
        "by_kind": {kind: sum(group) / len(group) for kind, group in by_kind.items()},
        "examples": examples,
    }


def _load(folder: Path) -> tuple[Any, Any]:
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        raise ModelInvalid(f"{folder} cannot be loaded: {error}", "Name a complete Hugging Face folder.") from error
    model.requires_grad_(False)
    return tokenizer, model


def main() -> None:
    parser = argparse.ArgumentParser(description="Exact match on the demo's held-out questions.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--questions", type=int, default=100, help="how many held-out questions to ask")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of a sentence")
    arguments = parser.parse_args()
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    score = exact_match(arguments.folder, held_out(arguments.questions))
    if arguments.json:
        print(json.dumps(score, ensure_ascii=False))
        return
    print(f"{score['exact_match']:.0%} of {score['num_questions']} held-out questions answered exactly")


if __name__ == "__main__":
    main()
