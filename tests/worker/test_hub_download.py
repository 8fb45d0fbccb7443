"""What comes from the hub: streamed to Parquet, and a clear word where it refuses, breaks off or is not there."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.support.backend import write_dataset
from tests.support.hub import serving
from tunedeck.child_process import Child
from tunedeck.errors import DatasetInvalid, TooLarge, Unavailable
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


def test_a_hub_that_refuses_or_breaks_off_is_told_apart_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    for owner in ("someone", "private"):
        write_dataset(tmp_path / "hub" / owner / "chats" / "data" / "train-00000-of-00001.jsonl", num_rows=50)
    login = tmp_path / "home" / "token"
    monkeypatch.setenv("HF_HOME", str(login.parent))
    target = tmp_path / "out" / "chats.parquet"
    target.parent.mkdir()
    with serving(tmp_path / "hub") as hub, ExitStack() as stack:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        child = Child("tests.worker.impatient_hub_download")
        stack.callback(child.stop)

        def fetch(**asked: str) -> None:
            request = ASKED | {"id": "someone/chats", "file": str(target), "unfinished": f"{target}.half"} | asked
            child.ask(request, lambda *_: None, timeout_s=120)

        def refusal(**asked: str) -> str:
            with pytest.raises((DatasetInvalid, Unavailable)) as caught:
                fetch(**asked)
            assert list(target.parent.iterdir()) == []
            return caught.value.message

        assert "has no data set 'someone/none'" in refusal(id="someone/none")
        assert "has no data set 'private/chats' that this machine may read" in refusal(id="private/chats")
        assert "'someone/chats' has no revision 'v9'" in refusal(revision="v9")
        assert "Bad split: test" in refusal(split="test")
        assert "'odd' not found" in refusal(config="odd")
        hub.is_broken = True
        assert "the Hugging Face hub cannot be reached" in refusal()
        hub.is_broken = False
        login.write_text(hub.token)  # as `hf auth login` does
        fetch(id="private/chats")
        assert pq.read_metadata(target).num_rows == 50
