"""OpenHermes-like conversations to messages Parquet: `tunedeck data convert` beside the recipe's own script.

The peer's time is that of `map` and `to_parquet` alone, on a data set that is loaded already; ours includes reading the
JSONL file. The peer's file has the other columns too, which nobody trains on.

Each side runs `--rounds` times in turn; the median is told.

    python -m bench.data.conversion [--rows 200000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.data.child import measured
from bench.data.openhermes import write_jsonl

GOAL_SPEED = 6.0
GOAL_MEMORY = 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with TemporaryDirectory(prefix="bench-data-") as folder:
        source = Path(folder, "openhermes.jsonl")
        write_jsonl(source, asked.rows)
        rounds = [one_round(source, Path(folder, f"round-{number}")) for number in range(asked.rounds)]
    ours, peer = median_of([ours for ours, _ in rounds]), median_of([peer for _, peer in rounds])
    for row in report_of(asked.rows, ours, peer):
        print(json.dumps(row), flush=True)


def one_round(source: Path, folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    folder.mkdir()
    ours = measured(our_work, str(source), f"{folder}/ours.parquet")
    peer = measured(peer_work, str(source), f"{folder}/peer.parquet", f"{folder}/cache")
    check_equal(folder / "ours.parquet", folder / "peer.parquet")
    shutil.rmtree(folder)
    return ours, peer


def median_of(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: median(each[name] for each in rounds) for name in rounds[0]}


def our_work(source: str, target: str) -> dict[str, Any]:
    from tunedeck.conversations.convert import convert

    start = time.perf_counter()
    convert(Path(source), Path(target))
    return {"convert_s": time.perf_counter() - start}


def peer_work(source: str, target: str, cache: str) -> dict[str, Any]:
    """The recipe's script, word for word but for the source."""
    import datasets

    datasets.disable_progress_bars()

    def convert(sample: dict[str, Any]) -> dict[str, Any]:
        def convert_role(role: str) -> str:
            if role == "human":
                return "user"
            if role == "gpt":
                return "assistant"
            if role == "system":
                return "system"
            raise ValueError(f"Unknown role: {role}")

        turns = sample["conversations"]
        return {"messages": [{"role": convert_role(turn["from"]), "content": turn["value"]} for turn in turns]}

    start = time.perf_counter()
    loaded = datasets.load_dataset("json", data_files=source, split="train", cache_dir=cache)
    load_s = time.perf_counter() - start
    loaded.map(convert).to_parquet(target)
    return {"load_s": load_s, "convert_s": time.perf_counter() - start - load_s}


def check_equal(ours: Path, peer: Path) -> None:
    """Both files hold the same messages. Raises AssertionError."""
    import pyarrow.parquet as pq

    for mine, theirs in zip(
        pq.ParquetFile(ours).iter_batches(5000, columns=["messages"]),
        pq.ParquetFile(peer).iter_batches(5000, columns=["messages"]),
        strict=True,
    ):
        assert mine.column(0).to_pylist() == theirs.column(0).to_pylist()


def report_of(num_rows: int, ours: dict[str, Any], peer: dict[str, Any]) -> list[dict[str, Any]]:
    speeds = num_rows / ours["convert_s"], num_rows / peer["convert_s"]
    whole = num_rows / (peer["load_s"] + peer["convert_s"])
    memory = ours["peak_bytes"], peer["peak_bytes"]
    return [
        _row("conversion to messages Parquet, rows/s", *speeds, speeds[0] / speeds[1] >= GOAL_SPEED),
        _row("the same, the peer's reading of the file included, rows/s", speeds[0], whole, None),
        _row(
            "the same, rows per processor second, everything included",
            num_rows / ours["cpu_s"],
            num_rows / peer["cpu_s"],
            None,
        ),
        _row("resident at the peak, bytes", *memory, memory[0] / memory[1] <= GOAL_MEMORY),
    ]


def _row(what: str, ours: float, peer: float, goal_met: bool | None) -> dict[str, Any]:
    row = {"what": what, "ours": round(ours), "peer": round(peer), "ratio": round(ours / peer, 3)}
    return row if goal_met is None else {**row, "goal_met": goal_met}


if __name__ == "__main__":
    main()
