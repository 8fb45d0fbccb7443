"""Template, tokenizer and mask: our preparation of a file beside the recipe's per-message rendering and transformers'
own `return_assistant_tokens_mask`, both one sample at a time in one process, as the recipe works.

Ours reads and judges the JSONL file and writes the cache; the peers get rows that are loaded already, and fewer, for
they would take hours. Sides take turns, `--rounds` times; the median is told. `tok_per_s` is by the clock, and means
something on a quiet machine only; `tok_per_cpu_s` counts processor time of all processes, which other work disturbs
less. Of either the goal is told, and whether it was met.

    python -m bench.data.tokens --model FOLDER [--file FILE] [--rows 200000] [--peer-rows 4000] [--mask qwen]
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from transformers import AutoTokenizer

from bench.data.openhermes import write_jsonl
from bench.data.recipe_masks import RecipeMasks
from tunedeck.conversations import Reading
from tunedeck.conversations.scan import content_sha256, read_conversations
from tunedeck.tokens.preparation import TokenSource, prepare

GOALS = {"ours, two processes": 5.0, "ours, one process": 2.5}
GOAL_PER_CPU_S = 2.5
GENERATION_CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content + '<|im_end|>\n' }}{% endgeneration %}{% else %}"
    "{{ m.content + '<|im_end|>\n' }}{% endif %}{% endfor %}"
)
Side = Callable[[], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--file", type=Path, help="instead of generated conversations")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--peer-rows", type=int, default=4_000)
    parser.add_argument("--mask", default="qwen")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="bench-data-") as folder:
        file = asked.file or Path(folder, "openhermes.jsonl")
        if asked.file is None:
            write_jsonl(file, asked.rows)
        sides = {**our_sides(file, asked, Path(folder)), **peer_sides(file, asked)}
        rounds = [{name: measured(side) for name, side in sides.items()} for _ in range(asked.rounds)]
    for row in report_of(rounds):
        print(json.dumps({"what": f"tokens, {asked.mask}", **row}), flush=True)


def our_sides(file: Path, asked: argparse.Namespace, folder: Path) -> dict[str, Side]:
    source = TokenSource(file, content_sha256(file), Reading(), asked.model, asked.mask)
    numbers = itertools.count()

    def prepared(num_processes: int) -> int:
        target = folder / str(next(numbers))
        target.mkdir()
        return prepare(source, target, num_processes).num_tokens

    return {"ours, two processes": lambda: prepared(2), "ours, one process": lambda: prepared(1)}


def peer_sides(file: Path, asked: argparse.Namespace) -> dict[str, Side]:
    rows = list(itertools.islice(_messages(file), asked.peer_rows))
    tokenizer = AutoTokenizer.from_pretrained(asked.model)
    recipe = RecipeMasks(tokenizer)

    def by_the_recipe() -> int:
        return sum(len(recipe.mask(asked.mask, messages)[0]) for messages in rows)

    def by_transformers() -> int:
        return sum(
            len(
                tokenizer.apply_chat_template(
                    messages, chat_template=GENERATION_CHATML, return_assistant_tokens_mask=True, return_dict=True
                )["input_ids"]
            )
            for messages in rows
        )

    return {"the recipe": by_the_recipe, "transformers": by_transformers}


def _messages(file: Path) -> Iterator[list[dict[str, Any]]]:
    for _, conversation in read_conversations(file):
        if conversation is not None:
            yield [message.as_dict() for message in conversation.messages]


def measured(side: Side) -> dict[str, float]:
    start, used = time.perf_counter(), _processor_s()
    num_tokens = side()
    return {
        "tok_per_s": num_tokens / (time.perf_counter() - start),
        "tok_per_cpu_s": num_tokens / (_processor_s() - used),
    }


def _processor_s() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def report_of(rounds: list[dict[str, dict[str, float]]]) -> Iterator[dict[str, Any]]:
    def of(side: str, figure: str) -> float:
        return median(each[side][figure] for each in rounds)

    for side, goal in GOALS.items():
        for peer in ("the recipe", "transformers"):
            ratio = of(side, "tok_per_s") / of(peer, "tok_per_s")
            ratio_per_cpu_s = of(side, "tok_per_cpu_s") / of(peer, "tok_per_cpu_s")
            yield {
                "ours": side,
                "peer": peer,
                **{name: round(of(side, name)) for name in ("tok_per_s", "tok_per_cpu_s")},
                **{f"peer_{name}": round(of(peer, name)) for name in ("tok_per_s", "tok_per_cpu_s")},
                "ratio": round(ratio, 2),
                "goal": goal,
                "goal_met": ratio >= goal,
                "ratio_per_cpu_s": round(ratio_per_cpu_s, 2),
                "goal_per_cpu_s": GOAL_PER_CPU_S,
                "goal_per_cpu_s_met": ratio_per_cpu_s >= GOAL_PER_CPU_S,
            }


if __name__ == "__main__":
    main()
