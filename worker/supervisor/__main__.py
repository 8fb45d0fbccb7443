"""`python -m worker.supervisor RUN_DIR …`: one attempt's training processes, from start to `exit.json`.

A program of its own, not a thread of the worker: it must be a child subreaper for this attempt alone, and must be
there to end the processes when the worker is killed. It imports no torch and is ready in about 100 ms.
"""

from __future__ import annotations

import argparse
import logging
import os

from worker.launchers.choice import launcher_named
from worker.launchers.launch_arguments import add_arguments, launch_of
from worker.supervisor.leftovers import remove_leftovers
from worker.supervisor.supervise import start_engine, wait_for_end


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(message)s")
    arguments = _parser().parse_args()
    launch = launch_of(arguments)
    launcher = launcher_named(arguments.launcher, arguments.ray_address)
    tree = start_engine(launcher, launch, dict(os.environ))
    # Imported only now: pydantic costs 150 ms, for which the engine need not wait.
    from worker.supervisor.exit_report import exit_report, write_exit_report
    from worker.supervisor.watchdog import Watchdog

    watchdog = Watchdog(launch.folder, launcher, launch.num_processes, arguments.distributed_timeout_s)
    ended = wait_for_end(tree, launch.folder, arguments.stop_grace_s, launcher.term_wait_s, watchdog)
    remove_leftovers(launch.folder)
    write_exit_report(launch.folder, exit_report(launch.folder, ended))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.supervisor", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--stop-grace-s", type=float, required=True)
    parser.add_argument("--distributed-timeout-s", type=float, default=600.0, help="a rank that hangs so long is ended")
    parser.add_argument("--launcher", choices=("local", "ray"), default="local")
    parser.add_argument("--ray-address", default="auto")
    return parser


if __name__ == "__main__":
    main()
