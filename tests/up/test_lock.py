from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.waiting import wait_for
from tunedeck.errors import Conflict
from tunedeck.up.lock import data_dir_lock

HOLDER = """
import os, sys, time
from pathlib import Path
from tunedeck.up.lock import data_dir_lock
with data_dir_lock(Path(sys.argv[1]), os.getpid()):
    time.sleep(600)
"""


def test_a_second_holder_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with data_dir_lock(tmp_path, 4711), pytest.raises(Conflict) as refusal, data_dir_lock(tmp_path, 4712):
        pass
    assert str(refusal.value) == f"another `tunedeck up` (pid 4711) already serves {tmp_path}"
    assert "kill 4711" in refusal.value.mend


def test_the_folder_is_free_after_the_block(tmp_path: Path) -> None:
    with data_dir_lock(tmp_path, 1):
        pass
    with data_dir_lock(tmp_path, 2):
        assert (tmp_path / "up.lock").read_text() == "2\n"
    assert (tmp_path / "up.lock").read_text() == ""


def test_kill_9_leaves_no_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)])
    lock = tmp_path / "up.lock"
    wait_for(lambda: lock.exists() and lock.read_text(), "the holder")
    holder.kill()
    holder.wait()
    with data_dir_lock(tmp_path, 2):
        assert lock.read_text() == "2\n"
