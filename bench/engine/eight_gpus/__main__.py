"""`python -m bench.engine.eight_gpus --data FILE --tokenizer FOLDER [--parts layouts 8b 30b-a3b twins]` on eight GPUs.

Prints one JSON object per row, as `bench.engine` does, and after each part which row was the best and by how much it
beats the recipe's layout. On two cores: `--num-devices 2 --model demo --max-tokens 2048 --global-batch-size 32`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from bench.engine.eight_gpus.torchrun import under_torchrun
from bench.engine.eight_gpus.tries import RECIPE_TENSOR_PARALLEL, Try, guesses_8b, guesses_30b_a3b, layouts
from bench.engine.eight_gpus.twins import compare_twins, write_random_weights
from bench.engine.jobs import Workload
from bench.engine.shapes import SHAPES, write_shape

PARTS = ("layouts", "8b", "30b-a3b", "twins")
TRY_TIMEOUT_S = 900


def main() -> int:
    arguments = _arguments()
    rows = ["ours:bf16", "ours:fp8-blockwise+param-gather"] if torch.cuda.is_available() else ["ours:fp32"]
    parts = {
        "layouts": lambda: layouts(arguments.model, arguments.num_devices, arguments.max_tokens, rows),
        "8b": guesses_8b,
        "30b-a3b": guesses_30b_a3b,
    }
    failed = 0
    for part in arguments.parts:
        if part == "twins":
            failed += not _twins(arguments)
            continue
        measured = [row for each in parts[part]() for row in _run(each, arguments)]
        failed += not measured
        _tell_best(part, measured, min(RECIPE_TENSOR_PARALLEL, arguments.num_devices))
    return 1 if failed else 0


def _run(tried: Try, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """The rows that were measured; a layout that does not fit says so in its own row and loses no other."""
    folder = arguments.folder / tried.name.replace(" ", "-")
    settings = [f"--set={path}={json.dumps(value)}" for path, value in tried.settings.items()]
    numbers = {
        "tensor-model-parallel-size": tried.tensor_parallel,
        "max-tokens-per-gpu": tried.max_tokens,
        "global-batch-size": arguments.global_batch_size,
        "steps": arguments.steps,
        "warm-up": arguments.warm_up,
    }
    command = under_torchrun(
        arguments.num_devices,
        "bench.engine",
        *("--model", tried.model, "--data", arguments.data, "--tokenizer", arguments.tokenizer),
        *("--folder", str(folder), "--rows", *tried.rows, *settings),
        *(f"--{name}={number}" for name, number in numbers.items()),
    )
    print(json.dumps({"try": tried.name}), flush=True)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=TRY_TIMEOUT_S, check=False)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    rows = [{"tensor_parallel": tried.tensor_parallel, "try": tried.name} | row for row in told if "what" in row]
    for row in rows or [{"try": tried.name, "error": f"no row; exit status {done.returncode}"}]:
        print(json.dumps(row), flush=True)
    return [row for row in rows if "tok_per_s_per_gpu" in row]


def _tell_best(part: str, rows: list[dict[str, Any]], recipes_size: int) -> None:
    for precision in dict.fromkeys(row["precision"] for row in rows):
        of_precision = [row for row in rows if row["precision"] == precision]
        best = max(of_precision, key=_rate)
        recipes = [row for row in of_precision if row["tensor_parallel"] == recipes_size]
        over = _rate(best) / max(map(_rate, recipes)) if recipes else None
        told = {"best": best["try"], "part": part, "precision": precision, "levers": best["levers"]}
        print(json.dumps(told | {"tok_per_s_per_gpu": _rate(best), "over_recipe": over}), flush=True)


def _rate(row: dict[str, Any]) -> float:
    return float(row["tok_per_s_per_gpu"])


def _twins(arguments: argparse.Namespace) -> bool:
    """Whether all curves agree."""
    drawn = arguments.folder / "model"
    model = Path(arguments.weights or write_shape(arguments.model, Path(arguments.tokenizer), drawn))
    if not list(model.glob("*.safetensors")):
        write_random_weights(model)
    work = Workload(
        shape=arguments.model,
        model=model.resolve(),
        data=Path(arguments.data).resolve(),
        num_devices=arguments.num_devices,
        tensor_model_parallel_size=1,
        max_tokens_per_gpu=arguments.max_tokens[-1],
        global_batch_size=arguments.global_batch_size,
        num_steps=0,
        num_warm_up=0,
        threads=1,
    )
    largest = min(RECIPE_TENSOR_PARALLEL, arguments.num_devices)
    all_met = True
    for precision in ("bf16", "fp8-blockwise") if torch.cuda.is_available() else ("fp32",):
        told = compare_twins(work, precision, (largest, 1), arguments.folder / f"twins-{precision}")
        print(json.dumps(told), flush=True)
        all_met = all_met and bool(told["is_met"])
    return all_met


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.engine.eight_gpus")
    parser.add_argument("--data", required=True, help="conversations, as a job would take them")
    parser.add_argument("--tokenizer", default=".", help="folder of tokenizer.json; not used by demo")
    parser.add_argument("--folder", type=Path, required=True, help="where runs are written; kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=["layouts", "twins"])
    parser.add_argument("--model", choices=[*SHAPES, "demo"], default="qwen3-4b")
    parser.add_argument("--weights", default="", help="a Hugging Face folder for the twins; else random weights")
    parser.add_argument("--num-devices", type=int, default=8)
    parser.add_argument("--max-tokens", type=int, nargs="+", default=[32_768, 16_384])
    parser.add_argument("--global-batch-size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--warm-up", type=int, default=6)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
