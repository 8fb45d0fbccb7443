"""What comes from the hub, as far as it can be tried without it: streamed to Parquet, and a clear word when offline."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.backend import write_dataset
from tunedeck.child_process import Child
from tunedeck.errors import TooLarge, Unavailable
from worker import hub_download

ASKED = {"id": "nobody/none", "config": "", "split": "train", "revision": "", "max_bytes": 1 << 20}


def test_rows_are_streamed_into_one_file_up_to_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(hub_download, "_ROWS_AT_ONCE", 20)
    source = write_dataset(tmp_path / "chats.jsonl", num_rows=50)
    told: list[tuple[int, int]] = []
    rows = datasets.load_dataset("json", data_files=str(source), split="train", streaming=True)
    rows.info.splits = datasets.SplitDict()
    rows.info.splits.add(datasets.SplitInfo("train", num_examples=50))
    hub_download._write(rows, tmp_path / "all.parquet", 1 << 20, lambda *progress: told.append(progress))
    found = pq.read_table(tmp_path / "all.parquet").to_pylist()
    assert [row["messages"][1]["content"] for row in found] == [str(number + 1) for number in range(50)]
    assert told == [(20, 50), (40, 50), (50, 50)]
    rows.info.splits = None
    with pytest.raises(TooLarge):
        hub_download._write(rows, tmp_path / "cut.parquet", 10, lambda *_: None)


def test_without_the_hub_the_error_says_so_and_no_file_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    child = Child("worker.hub_download")
    try:
        with pytest.raises(Unavailable, match="the Hugging Face hub cannot be reached"):
            child.ask(ASKED | {"file": str(tmp_path / "none.parquet")}, lambda *_: None, timeout_s=120)
    finally:
        child.stop()
    assert list(tmp_path.iterdir()) == []
