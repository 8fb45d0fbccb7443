"""What checkpoints cost the training loop: the same run without any, with synchronous and with asynchronous ones.

The three take turns in one call, because a machine is never equally fast for long. Goal: an asynchronous checkpoint
costs less than 5% of one step. Two costs are told. `held_up`: for how long the loop itself stood still, as its own
events say, the waiting of a GPU for a copy included. `total`: how much later the steps of a save interval were done
than without checkpoints, which adds what writing beside the training takes from it. `prepare`: what is done once in a
run, after its first step. One JSON object a row.

    python -m bench.checkpoint [--model SHAPE --tokenizer FOLDER] [--data FILE] [--save-interval N] [--checkpoints N]

or under torchrun, then with `--folder`. On a GPU, BF16 with random weights; on a CPU, fp32. The disk must hold two
checkpoints: 14 bytes a parameter on a GPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

from bench.engine.jobs import Workload, job_of
from bench.engine.ours import layout_text, prepared
from bench.engine.shapes import SHAPES, write_shape
from tunedeck.demo import assets
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import STORE_VARIABLE, RunFolder
from worker.engine.tracking import open_tracking
from worker.engine.training.loop import TrainingLoop

GOAL_SHARE = 0.05
WARM_UP_STEPS = 3
MODES: dict[str, dict[str, Any]] = {
    "none": {"save_interval": 0},
    "sync": {"async_save": False},
    "async": {"async_save": True},
}


@dataclass
class Measured:
    """Over all rounds of one mode, in seconds; a checkpoint's size in bytes."""

    step_times_s: list[float] = field(default_factory=list)
    paces_s: list[float] = field(default_factory=list)  # wall-clock time of a step, what lies between steps included
    held_up_s: list[float] = field(default_factory=list)  # one for each checkpoint but the last, which is waited for
    prepare_s: list[float] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, events: list[dict[str, Any]], save_interval: int) -> None:
        steps = [event for event in events if event["kind"] == "step"]
        counted = steps[WARM_UP_STEPS:]
        self.step_times_s += [event["metrics"]["step_time_s"] for event in counted]
        self.paces_s.append((counted[-1]["t"] - counted[0]["t"]) / (len(counted) - 1))
        self.prepare_s.append(sum(event["metrics"]["checkpoint_time_s"] for event in steps[:WARM_UP_STEPS]))
        saved = [event for event in events if event["kind"] == "checkpoint"]
        for checkpoint in saved[:-1]:
            after = range(checkpoint["step"] + 1, checkpoint["step"] + save_interval + 1)
            self.held_up_s.append(sum(e["metrics"]["checkpoint_time_s"] for e in steps if e["step"] in after))
            self.size_bytes = checkpoint["size_bytes"]


def main() -> int:
    arguments = _arguments()
    root = Path(arguments.folder or mkdtemp(prefix="bench-"))
    try:
        return _measure(arguments, root)
    finally:
        if _rank() == 0:
            shutil.rmtree(root, ignore_errors=True)


def _measure(arguments: argparse.Namespace, root: Path) -> int:
    spec = _spec(arguments, root)
    measured = {mode: Measured() for mode in MODES}
    for number in range(arguments.rounds):
        for mode in ("none", *arguments.modes):
            changes = MODES[mode]
            os.environ[STORE_VARIABLE] = str(root / f"store-{mode}-{number}")
            changed = spec.model_copy(update={"checkpointing": spec.checkpointing.model_copy(update=changes)})
            events = _run(changed, RunFolder(root / f"{mode}-{number}"))
            if events:
                measured[mode].add(events, arguments.save_interval)
    if _rank() != 0:
        return 0
    rows = [row_of(mode, measured, spec, arguments.model) for mode in arguments.modes]
    for row in rows:
        print(json.dumps(row), flush=True)
    return 0 if all(row["goal_met"] for row in rows if row["mode"] == "async") else 1


def row_of(mode: str, measured: dict[str, Measured], spec: ResolvedSpec, model: str) -> dict[str, Any]:
    mine, without = measured[mode], measured["none"]
    step_s, interval = statistics.median(without.step_times_s), spec.checkpointing.save_interval
    held_up_s = statistics.median(mine.held_up_s)
    total_s = (statistics.median(mine.paces_s) - statistics.median(without.paces_s)) * interval
    return {
        "machine": _machine(),
        "model": model,
        "layout": layout_text(spec),
        "mode": mode,
        "checkpoint_mib": round(mine.size_bytes / 2**20, 1),
        "num_rounds": len(mine.paces_s),
        "num_checkpoints": len(mine.held_up_s),
        "median_step_s": round(step_s, 4),
        "held_up_s": round(held_up_s, 4),
        "longest_held_up_s": round(max(mine.held_up_s), 4),
        "held_up_share_of_a_step": round(held_up_s / step_s, 4),
        "prepare_s": round(statistics.median(mine.prepare_s), 4),
        "total_s": round(total_s, 4),
        "save_interval": interval,
        "total_share_of_training": round(total_s / (interval * step_s), 4),
        "goal_met": held_up_s / step_s < GOAL_SHARE,
    }


def _run(spec: ResolvedSpec, folder: RunFolder) -> list[dict[str, Any]]:
    """The events of one run, of which nothing else is kept; they are told to rank 0."""
    folder.stop_request.parent.mkdir(parents=True, exist_ok=True)
    with prepared(spec, folder) as (setup, _), open_tracking(spec, folder) as tracking:
        TrainingLoop(setup, tracking).run()
        torch.distributed.barrier()
    del setup
    gc.collect()
    if _rank() != 0:
        return []
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    shutil.rmtree(folder.root)
    return events


def _spec(arguments: argparse.Namespace, root: Path) -> ResolvedSpec:
    model = write_shape(arguments.model, Path(arguments.tokenizer), root / f"model-{_rank()}")
    data = Path(arguments.data) if arguments.data else root / f"demo-{_rank()}.jsonl"
    if not arguments.data:
        assets.write_dataset(data)
    work = Workload(
        shape=arguments.model,
        model=model,
        data=data.resolve(),
        num_devices=int(os.environ.get("WORLD_SIZE", "1")),
        tensor_model_parallel_size=1,
        max_tokens_per_gpu=arguments.max_tokens_per_gpu,
        global_batch_size=arguments.global_batch_size,
        num_steps=arguments.save_interval * arguments.checkpoints + 1,
        num_warm_up=WARM_UP_STEPS,
        threads=1,
    )
    spec = job_of(work, "bf16" if torch.cuda.is_available() else "fp32", [])
    wanted = {"save_interval": arguments.save_interval, "keep_last": 1}
    return spec.model_copy(update={"checkpointing": spec.checkpointing.model_copy(update=wanted)})


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))


def _machine() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", choices=[*SHAPES, "demo"], default="demo", help="a shape, with random weights")
    parser.add_argument("--tokenizer", default=".", help="folder of tokenizer.json; not used by demo")
    parser.add_argument("--data", default="", help="conversations; without it the demo's")
    parser.add_argument("--global-batch-size", type=int, default=32)
    parser.add_argument("--max-tokens-per-gpu", type=int, default=2048)
    parser.add_argument("--save-interval", type=int, default=10)
    parser.add_argument("--checkpoints", type=int, default=4, help="of each run, besides the last")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--modes", nargs="+", choices=["sync", "async"], default=["sync", "async"], help="beside a run without any"
    )
    parser.add_argument("--folder", default="", help="of the runs; removed at the end. Required under torchrun")
    arguments = parser.parse_args()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not arguments.folder:
        parser.error("several ranks meet in one folder: give --folder")
    if arguments.save_interval <= WARM_UP_STEPS:
        parser.error(f"--save-interval must be above the {WARM_UP_STEPS} steps of warm-up")
    return arguments


if __name__ == "__main__":
    sys.exit(main())
