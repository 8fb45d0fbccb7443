"""Memory while a file is inspected and converted: the same for gigabytes as for a tenth of them.

There is no peer: the figure beside ours is that of a file a tenth of the size.

    python -m bench.data.memory [--gigabytes 5]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.data.child import measured
from bench.data.openhermes import write_jsonl

GOAL_BYTES = 1 << 30
_BLOCK_ROWS = 100_000
_OPENING = b'{"from": "human", "value": "'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--gigabytes", type=float, default=5.0)
    size_bytes = int(parser.parse_args().gigabytes * 1e9)
    with TemporaryDirectory(prefix="bench-data-") as folder:
        small, large = Path(folder, "small.jsonl"), Path(folder, "large.jsonl")
        write_large(small, size_bytes // 10)
        write_large(large, size_bytes)
        for work in (inspected, converted):
            ours, peer = (measured(work, str(source), folder) for source in (large, small))
            print(json.dumps(_row(work.__name__, large.stat().st_size, ours, peer)), flush=True)


def write_large(path: Path, size_bytes: int) -> None:
    """Copies of one block; a number at the start of each question makes every row a different one."""
    block_file = path.with_suffix(".block")
    write_jsonl(block_file, _BLOCK_ROWS)
    block = block_file.read_bytes()
    block_file.unlink()
    with path.open("wb") as file:
        copy = 0
        while file.tell() < size_bytes:
            file.write(block.replace(_OPENING, _OPENING + b"%d " % copy))
            copy += 1


def inspected(source: str, folder: str) -> dict[str, Any]:
    from tunedeck.conversations.scan import inspect

    return {"num_rows": inspect(Path(source)).num_rows}


def converted(source: str, folder: str) -> dict[str, Any]:
    from tunedeck.conversations.convert import convert

    target = Path(folder, "out.parquet")
    num_rows = convert(Path(source), target).num_rows
    target.unlink()
    return {"num_rows": num_rows}


def _row(work: str, size_bytes: int, ours: dict[str, Any], peer: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": f"resident at the peak while a file of {size_bytes / 1e9:.2f} GB is {work}, bytes",
        "ours": ours["peak_bytes"],
        "peer": peer["peak_bytes"],
        "ratio": round(ours["peak_bytes"] / peer["peak_bytes"], 3),
        "num_rows": ours["num_rows"],
        "rows_per_s": round(ours["num_rows"] / ours["wall_s"]),
        "rows_per_cpu_s": round(ours["num_rows"] / ours["cpu_s"]),
        "goal_met": ours["peak_bytes"] < GOAL_BYTES,
    }


if __name__ == "__main__":
    main()
