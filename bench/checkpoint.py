"""What checkpoints cost the training loop: the same run without any, with synchronous and with asynchronous ones.

The three take turns in one call, because a machine is never equally fast for long. Goal: an asynchronous checkpoint
costs less than 5% of one step. Two costs are told. `held_up`: for how long the loop itself stood still, as its own
events say. `total`: how much later the steps of a save interval were done than without checkpoints, which adds what
writing beside the training takes from it. One JSON object a row.

    python -m bench.checkpoint [--model FOLDER] [--data FILE] [--devices N] [--save-interval N] [--checkpoints N]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backend.models.folder import inspect_folder
from tunedeck.conversations.scan import scan
from tunedeck.demo import assets
from tunedeck.resolve import resolve
from tunedeck.resolve.facts import DatasetFacts, ModelFacts
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from tunedeck.spec import Batching, Checkpointing, Data, Evaluation, JobSpec, Optimizer, Resources
from worker.host_facts import host_facts
from worker.supervisor.launch import Launch, command, environment

GOAL_SHARE = 0.05
WARM_UP_STEPS = 3
MODES = {"none": {"save_interval": 0}, "sync": {"async_save": False}, "async": {"async_save": True}}


@dataclass
class Measured:
    """Over all rounds of one mode, in seconds; a checkpoint's size in bytes."""

    step_times_s: list[float] = field(default_factory=list)
    paces_s: list[float] = field(default_factory=list)  # wall-clock time of a step, what lies between steps included
    held_up_s: list[float] = field(default_factory=list)  # one for each checkpoint but the last, which is waited for
    size_bytes: int = 0

    def add(self, events: list[dict[str, Any]]) -> None:
        steps = [event for event in events if event["kind"] == "step"][WARM_UP_STEPS:]
        self.step_times_s += [event["metrics"]["step_time_s"] for event in steps]
        self.paces_s.append((steps[-1]["t"] - steps[0]["t"]) / (len(steps) - 1))
        saved = [event for event in events if event["kind"] == "checkpoint"]
        if len(saved) > 1:
            held_up_s = sum(event["metrics"]["checkpoint_time_s"] for event in steps)
            self.held_up_s.append(held_up_s / (len(saved) - 1))
            self.size_bytes = saved[0]["size_bytes"]


def main() -> int:
    arguments = _arguments()
    measured = {mode: Measured() for mode in MODES}
    with TemporaryDirectory(prefix="bench-") as folder:
        root = Path(folder)
        spec = _spec(arguments, root)
        for number in range(arguments.rounds):
            for mode, changes in MODES.items():
                measured[mode].add(_run(_with(spec, changes), RunFolder(root / f"{mode}-{number}")))
    rows = [row_of(mode, measured, spec) for mode in ("sync", "async")]
    for row in rows:
        print(json.dumps(row))
    return 0 if rows[-1]["goal_met"] else 1


def row_of(mode: str, measured: dict[str, Measured], spec: ResolvedSpec) -> dict[str, Any]:
    mine, without = measured[mode], measured["none"]
    step_s, interval = statistics.median(without.step_times_s), spec.checkpointing.save_interval
    held_up_s = statistics.median(mine.held_up_s)
    total_s = (statistics.median(mine.paces_s) - statistics.median(without.paces_s)) * interval
    return {
        "machine": _machine(spec),
        "model": spec.model.name,
        "num_parameters": spec.model.num_parameters,
        "num_devices": spec.hardware.num_devices,
        "mode": mode,
        "checkpoint_mib": round(mine.size_bytes / 2**20, 1),
        "num_rounds": len(mine.paces_s),
        "median_step_s": round(step_s, 4),
        "held_up_s": round(held_up_s, 4),
        "held_up_share_of_a_step": round(held_up_s / step_s, 4),
        "total_s": round(total_s, 4),
        "save_interval": interval,
        "total_share_of_training": round(total_s / (interval * step_s), 4),
        "goal_met": held_up_s / step_s < GOAL_SHARE,
    }


def _run(spec: ResolvedSpec, folder: RunFolder) -> list[dict[str, Any]]:
    folder.stop_request.parent.mkdir(parents=True)
    folder.spec.write_text(spec.model_dump_json())
    hardware = spec.hardware
    indices = tuple(range(hardware.num_devices)) if hardware.device == "cuda" else ()
    threads = hardware.threads_per_process
    launch = Launch(folder, "worker.engine", hardware.num_devices, threads, hardware.device, indices, "")
    with folder.engine_log.open("ab") as log:
        subprocess.run(command(launch), env=environment(launch, os.environ), stdout=log, stderr=log, check=True)
    return [json.loads(line) for line in folder.events.read_text().splitlines()]


def _spec(arguments: argparse.Namespace, root: Path) -> ResolvedSpec:
    model, data = arguments.model, arguments.data
    if model is None:
        model = root / assets.MODEL_NAME
        assets.write_base_model(model)
    if data is None:
        data = root / "demo.jsonl"
        assets.write_dataset(data)
    num_steps = WARM_UP_STEPS + arguments.save_interval * arguments.checkpoints
    job = JobSpec(
        name="checkpoint-bench",
        model=model.name,
        dataset=data.name,
        data=Data(validation_fraction=0.0),
        batching=Batching(
            max_tokens_per_gpu=arguments.max_tokens_per_gpu,
            global_batch_size=arguments.global_batch_size,
            train_iters=num_steps,
        ),
        optimizer=Optimizer(lr_warmup_iters=0),
        evaluation=Evaluation(eval_interval=0),
        checkpointing=Checkpointing(save_interval=arguments.save_interval, keep_last=1, export_hf=False),
        resources=Resources(num_devices=arguments.devices),
    )
    return resolve(job, _model_facts(model), _dataset_facts(data), [host_facts("bench")])


def _model_facts(model: Path) -> ModelFacts:
    found = inspect_folder(model.resolve(), [model.resolve().parent])
    return ModelFacts(model.name, str(found.path), found.architecture, found.num_parameters, found.config)


def _dataset_facts(data: Path) -> DatasetFacts:
    report = scan(data)
    return DatasetFacts(
        data.name, str(data.resolve()), report.content_sha256, report.num_rows, report.num_trainable_rows
    )


def _with(spec: ResolvedSpec, changes: dict[str, Any]) -> ResolvedSpec:
    return spec.model_copy(update={"checkpointing": spec.checkpointing.model_copy(update=changes)})


def _machine(spec: ResolvedSpec) -> str:
    return host_facts("bench").devices[0].name + f" × {spec.hardware.num_devices}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, help="a Hugging Face folder; without it the demo's")
    parser.add_argument("--data", type=Path, help="conversations; without it the demo's")
    parser.add_argument("--devices", type=int, default=1)
    parser.add_argument("--global-batch-size", type=int, default=32)
    parser.add_argument("--max-tokens-per-gpu", type=int, default=2048)
    parser.add_argument("--save-interval", type=int, default=10)
    parser.add_argument("--checkpoints", type=int, default=4, help="of each run")
    parser.add_argument("--rounds", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
