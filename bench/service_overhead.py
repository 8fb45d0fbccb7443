"""What share of a training step the service costs: the same spec run bare, and run as a job.

Bare means the engine's own command with nothing else of ours on the machine. The two take turns, because a machine is
never equally fast for long, and the first steps of each run, which allocate and warm up, do not count. Goal: the
median step of a job is less than 1% longer.

Where GPUs train, the processors have cores to spare; so by default the engine gets all cores but one, in both kinds of
run. `--engine-cores` with the number of all cores measures the hardest case: nobody has anything to spare.

    python -m bench.service_overhead [--rounds N] [--steps N] [--engine-cores N]
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

from bench.deployment import deployment, wait_for
from tunedeck.client import Client
from tunedeck.demo import assets
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.launchers.launcher import Launch
from worker.launchers.local import LocalLauncher

GOAL_SHARE = 0.01
WARM_UP_STEPS = 5
PATIENCE_S = 1800.0


@dataclass
class StepTimes:
    """Seconds of every step that counts, by round."""

    bare: list[list[float]] = field(default_factory=list)
    service: list[list[float]] = field(default_factory=list)


def main() -> int:
    all_cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of each run")
    parser.add_argument("--engine-cores", type=int, default=max(1, len(all_cores) - 1), help="default: all but one")
    arguments = parser.parse_args()
    cores = all_cores[-arguments.engine_cores :]
    pinned = ("taskset", "--cpu-list", ",".join(map(str, cores)))
    times = StepTimes()
    with TemporaryDirectory(prefix="bench-") as folder:
        for number in range(arguments.rounds):
            job_folder = run_as_job(Path(folder), _spec(arguments.steps, len(cores)), pinned)
            times.service.append(step_times_s(job_folder))
            times.bare.append(step_times_s(run_bare(job_folder, Path(folder) / f"bare-{number}", pinned)))
    report = {"num_cores": len(all_cores), "num_engine_cores": len(cores), **report_of(times)}
    print(json.dumps(report))
    return 0 if report["goal_met"] else 1


def run_as_job(data_dir: Path, spec: dict[str, Any], prefix: tuple[str, ...]) -> RunFolder:
    """Start the service, submit, wait for the end, end the service."""
    with deployment(data_dir, "worker.engine", prefix) as made, made.client() as client:
        job_id = client.submit(spec).id
        # Rarely, because each look is a request that the service would not answer otherwise.
        wait_for(lambda: client.job(job_id).state in FINAL, "the end of the job", PATIENCE_S, look_every_s=5.0)
        _check_succeeded(client, job_id)
        return RunFolder.of(data_dir, job_id, client.job(job_id).attempt)


def run_bare(like: RunFolder, root: Path, prefix: tuple[str, ...]) -> RunFolder:
    """The engine alone, on the same spec, started with the same command and environment."""
    folder = RunFolder(root)
    folder.stop_request.parent.mkdir(parents=True)  # what the worker does when it claims an attempt
    folder.spec.write_text(like.spec.read_text())
    hardware = ResolvedSpec.model_validate_json(folder.spec.read_text()).hardware
    launch = Launch(
        folder=folder,
        engine_module="worker.engine",
        num_processes=hardware.num_devices,
        threads_per_process=hardware.threads_per_process,
        device=hardware.device,
        device_indices=tuple(range(hardware.num_devices)) if hardware.device == "cuda" else (),
        resume_from="",
    )
    launcher = LocalLauncher()
    with folder.engine_log.open("ab") as log:
        engine = (*prefix, *launcher.command(launch))
        subprocess.run(engine, env=launcher.environment(launch, os.environ), stdout=log, stderr=log, check=True)
    return folder


def step_times_s(folder: RunFolder) -> list[float]:
    events = [json.loads(line) for line in folder.events.read_text().splitlines()]
    steps = [event for event in events if event["kind"] == "step"]
    return [event["metrics"]["step_time_s"] for event in steps[WARM_UP_STEPS:]]


def report_of(times: StepTimes) -> dict[str, Any]:
    bare_s, service_s = _median_of_all(times.bare), _median_of_all(times.service)
    share = service_s / bare_s - 1.0
    return {
        "num_rounds": len(times.bare),
        "bare_median_step_s": round(bare_s, 5),
        "service_median_step_s": round(service_s, 5),
        "bare_medians_by_round_s": [round(statistics.median(steps), 5) for steps in times.bare],
        "service_medians_by_round_s": [round(statistics.median(steps), 5) for steps in times.service],
        "overhead_share": round(share, 4),
        "goal_met": share < GOAL_SHARE,
    }


def _median_of_all(rounds: list[list[float]]) -> float:
    return statistics.median(seconds for steps in rounds for seconds in steps)


def _spec(num_steps: int, num_processes: int) -> dict[str, Any]:
    """The demo without what would interrupt its steps."""
    spec = assets.demo_spec().model_dump(mode="json")
    spec["batching"] |= {"train_iters": num_steps, "num_epoch": None}
    spec["optimizer"]["lr_warmup_iters"] = 0
    spec["evaluation"]["eval_interval"] = 0
    spec["checkpointing"] |= {"save_interval": 0, "export_hf": False}
    spec["resources"]["num_devices"] = num_processes
    return spec


def _check_succeeded(client: Client, job_id: str) -> None:
    job = client.job(job_id)
    if job.state is not JobState.SUCCEEDED:
        raise RuntimeError(f"the job {job.state}: {job.fault}")


if __name__ == "__main__":
    sys.exit(main())
