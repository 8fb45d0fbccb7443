"""events.jsonl: whole lines in the form of tunedeck/events.py, numbered, and honest about a full disk."""

from __future__ import annotations

import errno
import math
import os
import threading
from pathlib import Path

import pytest

from tunedeck.errors import Conflict, DiskFull
from tunedeck.events import EndEvent, ErrorEvent, Event, StepEvent, event_adapter
from tunedeck.fault import Fault
from worker.engine.event_log import EventLog


def read(path: Path) -> list[Event]:
    return [event_adapter.validate_json(line) for line in path.read_bytes().splitlines()]


def test_every_kind_of_event_is_valid_and_numbered(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.phase("preparing")
        log.plan(10, 1, {"num_rows": 3})
        log.eval(0, {"validation_loss": 2.0})
        log.step(1, {"loss": 1.5, "grad_norm": math.inf})
        log.checkpoint(1, "checkpoints/iter_0000001", 12, "dist_checkpointing")
        log.checkpoint_removed(1, "checkpoints/iter_0000001")
        log.fail(Fault(code="engine_failed", message="it broke", mend="mend it"))
    events = read(path)
    assert [event.seq for event in events] == list(range(1, 9))
    step = events[3]
    assert isinstance(step, StepEvent)
    assert step.metrics == {"loss": 1.5, "grad_norm": None}
    assert isinstance(events[6], ErrorEvent)
    assert events[7] == EndEvent(seq=8, t=events[7].t, outcome="failed", step=1)


def test_nothing_follows_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.end("succeeded")
    log.step(1, {})
    log.fail(Fault(code="engine_failed", message="", mend=""))
    assert [event.kind for event in read(path)] == ["end"]


def test_each_event_is_on_disk_when_the_call_returns(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        for step in range(1, 4):
            log.step(step, {"loss": 1.0})
            assert len(read(path)) == step


def test_events_of_several_threads_never_mix(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        threads = [threading.Thread(target=lambda: [log.step(1, {"loss": 1.0}) for _ in range(200)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [event.seq for event in read(path)] == list(range(1, 801))


def test_a_folder_that_holds_a_run_is_not_written_to(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        log.phase("preparing")
    with pytest.raises(Conflict, match="already holds the events"):
        EventLog(path)
    assert len(read(path)) == 1


@pytest.mark.parametrize("written", [0, 7])
def test_a_full_disk_is_told_and_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    path = tmp_path / "events.jsonl"
    real_write = os.write

    def full(file: int, line: bytes) -> int:
        if not written:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real_write(file, line[:written])

    with EventLog(path) as log:
        log.phase("preparing")
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(DiskFull, match="no space left"):
            log.phase("loading")
        monkeypatch.setattr(os, "write", real_write)
        log.phase("loading")
    assert [event.seq for event in read(path)] == [1, 2]
