"""What the demo puts into a deployment: its data set, its base model, and the job that is submitted.

The base model is shipped in `base/` (scripts/make_demo_base.py made it) and only copied: building it here would need
torch, which this package must not import.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tunedeck.demo.task import conversations
from tunedeck.spec import Batching, Checkpointing, Data, Evaluation, JobSpec, Optimizer, Resources

BASE_FOLDER = Path(__file__).parent / "base"
MODEL_NAME = "demo-base"
DATASET_NAME = "demo-questions"
NUM_CONVERSATIONS = 8000
DATASET_SEED = 1


def write_dataset(path: Path) -> None:
    """The training conversations as JSON Lines, renamed into place when complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    with unfinished.open("w", encoding="utf-8") as lines:
        for row in conversations(NUM_CONVERSATIONS, DATASET_SEED):
            lines.write(json.dumps(row, ensure_ascii=False) + "\n")
    unfinished.replace(path)


def write_base_model(folder: Path) -> None:
    """A copy of the shipped Hugging Face folder."""
    shutil.copytree(BASE_FOLDER, folder, dirs_exist_ok=True)


def demo_spec() -> JobSpec:
    """One process a core, two at most: the demo shall run, and learn the same, on a laptop."""
    num_cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return JobSpec(
        name="demo",
        model=MODEL_NAME,
        dataset=DATASET_NAME,
        data=Data(validation_fraction=0.01),
        batching=Batching(max_tokens_per_gpu=2048, global_batch_size=32, train_iters=400),
        optimizer=Optimizer(lr=1e-3, min_lr=1e-5, lr_warmup_iters=20, weight_decay=0.1),
        evaluation=Evaluation(eval_interval=25),
        checkpointing=Checkpointing(save_interval=200),
        resources=Resources(num_devices=min(2, num_cores)),
    )
