"""A folder gets its final name only when all of it is on the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from worker.engine.publish_folder import publish_folder


def test_every_file_is_flushed_before_the_folder_gets_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unfinished, target = tmp_path / ".export.partial", tmp_path / "export"
    (unfinished / "templates").mkdir(parents=True)
    (unfinished / "config.json").write_text("{}")
    (unfinished / "templates" / "tool.jinja").write_text("{{ messages }}")
    flushed: list[tuple[int, bool]] = []
    flush = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append((os.fstat(fd).st_ino, target.exists())), flush(fd)))
    publish_folder(unfinished, target)
    names = {path.stat().st_ino: path.relative_to(tmp_path).as_posix() for path in (tmp_path, *tmp_path.rglob("*"))}
    told = [(names[inode], has_its_name) for inode, has_its_name in flushed]
    assert told[-1] == (".", True)
    assert sorted(told[:-1]) == [
        ("export", False),
        ("export/config.json", False),
        ("export/templates", False),
        ("export/templates/tool.jinja", False),
    ]
    assert not unfinished.exists()
