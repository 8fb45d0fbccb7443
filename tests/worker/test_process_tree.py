"""How the supervisor ends what is below it."""

from __future__ import annotations

import signal
import subprocess
import sys

from tests.worker.worker_process import ROOT

# A program of its own: a tree is everything below the process that holds it.
STOP_AND_END = """
import os, signal
from worker.supervisor.process_tree import ProcessTree

tree = ProcessTree.start(["sleep", "600"], os.environ, None)
os.kill(tree.root_pid, signal.SIGSTOP)
tree.end(term_wait_s=600)
print(tree.root_returncode())
"""


def test_a_stopped_process_is_woken_to_hear_that_it_shall_end() -> None:
    command = [sys.executable, "-c", STOP_AND_END]
    ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=120)
    assert int(ended.stdout) == -signal.SIGTERM
