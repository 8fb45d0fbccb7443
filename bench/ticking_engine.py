"""Stands in for the engine: no training, only a step event every TICK_S that says when it was written."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from tunedeck.run_folder import RunFolder

TICK_S = 0.05
# As many values as the real engine sends with a step.
METRICS = dict.fromkeys(("loss", "lr", "grad_norm", "tokens_per_s", "step_time_s", "num_tokens", "memory_bytes"), 1.0)


def main() -> int:
    """`python -m bench.ticking_engine SPEC.json RUN_DIR`"""
    if os.environ.get("RANK", "0") != "0":
        return 0
    spec = json.loads(Path(sys.argv[1]).read_text())
    folder = RunFolder(Path(sys.argv[2]))
    due = time.monotonic()
    with folder.events.open("a", buffering=1) as events:
        for step in range(1, spec["batching"]["train_iters"] + 1):
            event = {"kind": "step", "seq": step, "t": time.time(), "step": step, "metrics": METRICS}
            events.write(json.dumps(event) + "\n")
            if folder.stop_request.exists():
                return 0
            due += TICK_S
            time.sleep(max(0.0, due - time.monotonic()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
