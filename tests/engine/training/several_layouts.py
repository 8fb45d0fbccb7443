"""Run by torchrun in the tests: several trainings, one after the other, in the same two processes.

Starting two processes costs ten times as much as a tiny training. Argument: a JSON file, a list of
{"spec": ..., "folder": ..., "resume_from": ..., "port": ...}. Each training meets at a port of its own, because the
launcher's own meeting point still holds what the training before has left there.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from tests.engine.tiny import train_here
from tunedeck.resolved import ResolvedSpec
from worker.engine.process import die_with_launcher


def main(trainings: Path) -> None:
    die_with_launcher()
    rank = int(os.environ.get("RANK", "0"))
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"
    for training in json.loads(trainings.read_text()):
        os.environ["MASTER_PORT"] = str(training["port"])
        spec = ResolvedSpec.model_validate(training["spec"])
        resume_from = Path(training["resume_from"]) if training["resume_from"] else None
        train_here(spec, Path(training["folder"]), resume_from, rank)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
