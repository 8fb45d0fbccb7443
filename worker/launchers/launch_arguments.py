"""A launch as arguments of a command and back: driver and nodes are processes of their own, on other hosts."""

from __future__ import annotations

import argparse
from pathlib import Path

from tunedeck.run_folder import RunFolder
from worker.launchers.launcher import Launch


def as_arguments(launch: Launch) -> list[str]:
    options = [
        *("--engine-module", launch.engine_module),
        *("--num-processes", str(launch.num_processes)),
        *("--threads-per-process", str(launch.threads_per_process)),
        *("--device", launch.device),
        *("--device-indices", ",".join(map(str, launch.device_indices))),
        *("--resume-from", launch.resume_from),
        *("--num-nodes", str(launch.num_nodes)),
    ]
    return [str(launch.folder.root), *options, *(["--spread"] if launch.is_spread else [])]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--engine-module", default="worker.engine", help="what runs as `python -m MODULE SPEC RUN_DIR`")
    parser.add_argument("--num-processes", type=int, required=True, help="ranks, of all nodes together")
    parser.add_argument("--threads-per-process", type=int, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--device-indices", default="", help="GPUs of this attempt, as 0,1")
    parser.add_argument("--resume-from", default="", help="absolute path of a complete checkpoint")
    parser.add_argument("--num-nodes", type=int, default=1)
    parser.add_argument("--spread", action="store_true", help="no two nodes on the same host")


def launch_of(arguments: argparse.Namespace) -> Launch:
    return Launch(
        folder=RunFolder(arguments.run_dir),
        engine_module=arguments.engine_module,
        num_processes=arguments.num_processes,
        threads_per_process=arguments.threads_per_process,
        device=arguments.device,
        device_indices=tuple(int(index) for index in arguments.device_indices.split(",") if index),
        resume_from=arguments.resume_from,
        num_nodes=arguments.num_nodes,
        is_spread=arguments.spread,
    )
