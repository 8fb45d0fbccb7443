"""Two layouts of one run, and a checkpoint that changes from one to the other: the three curves must be one.

They are jobs as users start them, on real files of weights, random ones where no folder is given.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from bench.engine.eight_gpus.torchrun import under_torchrun
from bench.engine.jobs import Workload, job_of

NUM_STEPS = 50
LARGEST_DIFFERENCE = 0.01


def compare_twins(work: Workload, precision: str, sizes: tuple[int, int], root: Path) -> dict[str, object]:
    """`sizes`: tensor parallelism of the recipe's layout and of the other. Differences are relative, of the loss at
    any step. Raises CalledProcessError where a run fails."""
    recipe, other = (
        replace(work, tensor_model_parallel_size=size, num_steps=NUM_STEPS, num_warm_up=0) for size in sizes
    )
    first = _losses(recipe, precision, root / "recipe")
    second = _losses(other, precision, root / "other")
    checkpoint = root / "recipe" / "checkpoints" / f"iter_{NUM_STEPS // 2:07d}"
    moved = first[: NUM_STEPS // 2] + _losses(other, precision, root / "moved", checkpoint)
    twins, resumed = _difference(first, second), _difference(first, moved)
    return {
        "what": "twins",
        "precision": precision,
        "tensor_parallel": sizes,
        "num_steps": NUM_STEPS,
        "largest_difference": twins,
        "largest_difference_of_the_moved": resumed,
        "goal": LARGEST_DIFFERENCE,
        "is_met": max(twins, resumed) < LARGEST_DIFFERENCE,
    }


def write_random_weights(model: Path) -> None:
    """Weights for a folder that has a config.json, as transformers draws them."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(1)
    drawn = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(model), dtype=torch.bfloat16)
    drawn.save_pretrained(model)


def _losses(work: Workload, precision: str, folder: Path, checkpoint: Path | None = None) -> list[float]:
    spec = job_of(work, precision, ["param-gather"] if precision.startswith("fp8") else [])
    saving = {"save_interval": NUM_STEPS // 2, "keep_last": 2, "async_save": False}
    spec = spec.model_copy(update={"checkpointing": spec.checkpointing.model_copy(update=saving)})
    (folder / "control").mkdir(parents=True)
    file = folder / "spec.json"
    file.write_text(spec.model_dump_json())
    resume = ["--resume-from", str(checkpoint)] if checkpoint else []
    command = under_torchrun(work.num_devices, "worker.engine", str(file), str(folder), *resume)
    subprocess.run(command, check=True, stdout=sys.stderr)
    events = map(json.loads, (folder / "events.jsonl").read_text().splitlines())
    return [event["metrics"]["loss"] for event in events if event["kind"] == "step"]


def _difference(ours: list[float], theirs: list[float]) -> float:
    return max(abs(one - two) / one for one, two in zip(ours, theirs, strict=True))
