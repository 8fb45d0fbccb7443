"""`python -m worker.supervisor RUN_DIR …`: one attempt's training processes, from start to `exit.json`.

A program of its own, not a thread of the worker: it must be a child subreaper for this attempt alone, and must be
there to end the processes when the worker is killed. It imports no torch and is ready in about 100 ms.
"""

from __future__ import annotations

import argparse
import logging
import os
from pathlib import Path

from tunedeck.run_folder import RunFolder
from worker.supervisor.launch import Launch
from worker.supervisor.leftovers import remove_leftovers
from worker.supervisor.supervise import start_engine, wait_for_end


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(message)s")
    arguments = _parser().parse_args()
    launch = Launch(
        folder=RunFolder(arguments.run_dir),
        engine_module=arguments.engine_module,
        num_processes=arguments.num_processes,
        threads_per_process=arguments.threads_per_process,
        device=arguments.device,
        device_indices=tuple(int(index) for index in arguments.device_indices.split(",") if index),
        resume_from=arguments.resume_from,
    )
    tree = start_engine(launch, dict(os.environ))
    # Imported only now: pydantic costs 150 ms, for which the engine need not wait.
    from worker.supervisor.exit_report import exit_report, write_exit_report
    from worker.supervisor.watchdog import Watchdog

    watchdog = Watchdog(launch.folder, launch.num_processes, arguments.distributed_timeout_s)
    ended = wait_for_end(tree, launch.folder, arguments.stop_grace_s, watchdog)
    remove_leftovers(launch.folder)
    write_exit_report(launch.folder, exit_report(launch.folder, ended))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.supervisor", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--engine-module", default="worker.engine", help="what runs as `python -m MODULE SPEC RUN_DIR`")
    parser.add_argument("--num-processes", type=int, required=True)
    parser.add_argument("--threads-per-process", type=int, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), required=True)
    parser.add_argument("--device-indices", default="", help="GPUs of this attempt, as 0,1")
    parser.add_argument("--stop-grace-s", type=float, required=True)
    parser.add_argument("--distributed-timeout-s", type=float, default=600.0, help="a rank that hangs so long is ended")
    parser.add_argument("--resume-from", default="", help="absolute path of a complete checkpoint")
    return parser


if __name__ == "__main__":
    main()
