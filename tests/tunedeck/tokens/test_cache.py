"""Tokenised data sets that are kept: found again, never wrong, whole after a kill, made once by two at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tests.tunedeck.tokens.test_preparation import exchange, source
from tunedeck.conversations import Reading
from tunedeck.conversations.scan import content_sha256
from tunedeck.demo.assets import BASE_FOLDER
from tunedeck.errors import DatasetInvalid, NotFound
from tunedeck.tokens.cache import TokenCache, key_of, read_entry
from tunedeck.tokens.preparation import TokenSource
from tunedeck.tokens.token_files import TOKENS


@pytest.fixture
def given(tmp_path: Path) -> TokenSource:
    return source(tmp_path / "data.jsonl", [exchange(number) for number in range(1, 40)])


def test_an_entry_is_found_again_without_reading_the_data(tmp_path: Path, given: TokenSource) -> None:
    folder = TokenCache(tmp_path / "cache").folder(given)
    given.path.unlink()
    assert TokenCache(tmp_path / "cache").folder(given) == folder
    (entry,) = TokenCache(tmp_path / "cache").entries()
    assert entry.size_bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert (entry.data_file, entry.loss_mask_type, entry.num_rows) == ("data.jsonl", "qwen", 39)
    assert entry.last_used_at >= entry.created_at


def test_whatever_the_tokens_depend_on_is_part_of_the_key(tmp_path: Path, given: TokenSource) -> None:
    other_template = shutil.copytree(BASE_FOLDER, tmp_path / "template")
    (other_template / "chat_template.jinja").write_text("{{ messages[0].content }}")
    same_model_elsewhere = shutil.copytree(BASE_FOLDER, tmp_path / "copy")
    others = [
        replace(given, content_sha256="0" * 64),
        replace(given, loss_mask_type="qwen3"),
        replace(given, reading=Reading(max_chars=7)),
        replace(given, model=other_template),
    ]
    assert len({key_of(given), *map(key_of, others)}) == 5
    assert key_of(replace(given, model=same_model_elsewhere, path=Path("/elsewhere.jsonl"))) == key_of(given)


def test_a_removed_entry_is_gone_from_the_list_and_made_again(tmp_path: Path, given: TokenSource) -> None:
    cache = TokenCache(tmp_path / "cache")
    with (cache.folder(given) / TOKENS).open("rb") as mapped:
        cache.remove(key_of(given))
        assert cache.entries() == []
        assert mapped.read(4)  # an engine that has it open goes on
    assert cache.folder(given).is_dir()
    assert len(cache.entries()) == 1


@pytest.mark.parametrize("key", ["0" * 32, "../" + "a" * 29, "", "."])
def test_only_an_entry_can_be_removed(tmp_path: Path, given: TokenSource, key: str) -> None:
    cache = TokenCache(tmp_path / "cache")
    cache.folder(given)
    with pytest.raises(NotFound):
        cache.remove(key)
    assert len(cache.entries()) == 1


def test_a_fault_leaves_nothing_behind(tmp_path: Path, given: TokenSource) -> None:
    cache = TokenCache(tmp_path / "cache")
    changed = replace(given, content_sha256="0" * 64)
    with pytest.raises(DatasetInvalid, match="has changed"):
        cache.folder(changed)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f".{key_of(changed)}.lock"]


# Prepares an entry in a process of its own, stopping at its second part until a file appears.
PREPARE = """
import sys, time
from pathlib import Path
from tunedeck.conversations import Reading
from tunedeck.tokens import preparation
from tunedeck.tokens.cache import TokenCache
from tunedeck.tokens.preparation import TokenSource
data, sha, model, root, go_on = sys.argv[1:]
encode, seen = preparation.RowEncoder.encode, []
def slowly(self, part, num_rows_before):
    seen.append(part)
    while len(seen) > 1 and not Path(go_on).exists():
        time.sleep(0.01)
    return encode(self, part, num_rows_before)
preparation._PART_BYTES = 15_000
preparation.RowEncoder.encode = slowly
folder = TokenCache(Path(root)).folder(TokenSource(Path(data), sha, Reading(), Path(model), "qwen"), 1)
print(len(seen), folder, flush=True)
"""


@pytest.fixture
def start(tmp_path: Path) -> Callable[[], subprocess.Popen[str]]:
    data = tmp_path / "data.jsonl"
    large = source(data, [exchange(number) for number in range(1, 600)])
    arguments = [str(data), large.content_sha256, str(BASE_FOLDER), str(tmp_path / "cache"), str(tmp_path / "go")]
    return lambda: subprocess.Popen([sys.executable, "-c", PREPARE, *arguments], stdout=subprocess.PIPE, text=True)


def is_half_done(cache: Path) -> bool:
    return any((partial / TOKENS).exists() for partial in cache.glob(".*.partial"))


def test_after_a_kill_in_the_middle_the_next_one_begins_afresh(
    tmp_path: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    killed = start()
    wait_for(lambda: is_half_done(tmp_path / "cache"), "an entry that is half done")
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert TokenCache(tmp_path / "cache").entries() == []
    data = tmp_path / "data.jsonl"
    folder = TokenCache(tmp_path / "cache").folder(
        TokenSource(data, content_sha256(data), Reading(), BASE_FOLDER, "qwen")
    )
    assert read_entry(folder).figures.num_rows == 599
    assert not list((tmp_path / "cache").glob(".*.partial"))


def test_of_two_that_need_the_same_tokens_one_makes_them(
    tmp_path: Path, start: Callable[[], subprocess.Popen[str]]
) -> None:
    first = start()
    wait_for(lambda: is_half_done(tmp_path / "cache"), "an entry that is half done")
    second = start()
    time.sleep(0.5)
    (tmp_path / "go").touch()
    outputs = sorted(process.communicate(timeout=60)[0].split() for process in (first, second))
    assert [output[0] for output in outputs] == ["0", "4"]
    assert outputs[0][1] == outputs[1][1]
    assert len(TokenCache(tmp_path / "cache").entries()) == 1
