"""The run whose losses are kept: the demo's shipped weights on its first conversations, so that no random
initialisation of some version of torch is part of it. `python -m tests.golden.run` renews the file after a change that
was meant.
"""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.engine.tiny import events, resolved_spec, train_here
from tunedeck.demo.assets import BASE_FOLDER, DATASET_SEED
from tunedeck.demo.task import conversations

GOLDEN = Path(__file__).parent / "losses.json"
NUM_STEPS = 20


def measure(folder: Path) -> list[dict[str, float]]:
    """Loss, gradient norm and learning rate of each step, in fp32 on one thread."""
    data = folder / "demo.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in conversations(300, DATASET_SEED)))
    spec = resolved_spec(
        BASE_FOLDER,
        data,
        batching={"train_iters": NUM_STEPS, "global_batch_size": 16, "max_tokens_per_gpu": 1024},
        optimizer={"lr": 1e-3, "min_lr": 1e-5, "lr_warmup_iters": 4},
        data={"num_validation_rows": 0},
    )
    train_here(spec, folder / "run")
    return [
        {name: event["metrics"][name] for name in ("loss", "grad_norm", "lr")}
        for event in events(folder / "run", "step")
    ]


def main() -> None:
    with TemporaryDirectory(prefix="golden-") as folder:
        GOLDEN.write_text(json.dumps(measure(Path(folder)), indent=1) + "\n")
    print(f"wrote {GOLDEN}")


if __name__ == "__main__":
    main()
