"""Reading files that grow, and sending them to a bus that is full or has gone back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.valkey import ValkeyServer
from tests.worker.backend_stand_in import BackendStandIn
from tests.worker.orders import order
from tunedeck.bus import MOST_STREAM_ENTRIES, ControlRecord, HeartbeatMessage
from tunedeck.log_lines import MOST_LINES_OF_CHUNK
from tunedeck.run_folder import RunFolder
from worker.forwarder.forwarder import Forwarder, Progress
from worker.forwarder.line_tail import MAX_BATCH_BYTES, LineTail
from worker.forwarder.log_text import MAX_LOG_LINE_CHARS, shown
from worker.forwarder.position import START, Position
from worker.forwarder.rewind import position_after
from worker.publisher import Publisher, Verdict

JOB = order("plain", 1)
BEAT = HeartbeatMessage(job_id=JOB.job_id, attempt=JOB.attempt, host="h")


@pytest.fixture
def publisher(valkey: ValkeyServer) -> Iterator[Publisher]:
    bus = valkey.client()
    yield Publisher(bus, JOB.job_id, JOB.attempt)
    bus.close()


@pytest.fixture
def run(folder: Path) -> RunFolder:
    return RunFolder(folder)


def test_a_torn_last_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = LineTail(path, 1000)
    assert tail.read(0).lines == ()
    path.write_bytes(b'{"seq": 1}\n{"se')
    assert tail.read(0).lines == (b'{"seq": 1}',)
    assert tail.read(11).lines == ()
    with path.open("ab") as file:
        file.write(b'q": 2}\n')
    assert tail.read(11).lines == (b'{"seq": 2}',)


def test_a_torn_last_line_of_a_dead_process_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"one\nKilled")
    tail = LineTail(path, 1000)
    assert tail.read(4).lines == ()
    assert tail.read(4, final=True).lines == (b"Killed",)
    assert tail.read(10, final=True).lines == ()


def test_a_line_of_many_megabytes_is_one_short_line(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    tail = LineTail(path, 1000)
    path.write_bytes(b"x" * 3_000_000)
    assert tail.read(0).lines == ()
    with path.open("ab") as file:
        file.write(b"y\nnext\n")
    found = tail.read(0)
    assert found.lines == (b"x" * 1000,)
    assert tail.read(found.end_offset).lines == (b"next",)


def test_of_a_long_progress_bar_the_last_state_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    path.write_bytes(b"".join(b"\rtokenizing %5d of 20000" % i for i in range(20001)) + b"\n")
    [line] = LineTail(path, 1000).read(0).lines
    assert shown(line) == "tokenizing 20000 of 20000"


def test_batches_cover_a_file_without_gap_or_overlap(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    lines = [b"%d " % number + b"z" * (number % 700) for number in range(5000)]
    path.write_bytes(b"\n".join(lines) + b"\n")
    tail, offset = LineTail(path, 1000), 0
    found: list[bytes] = []
    while batch := tail.read(offset).lines:
        assert len(batch) <= MOST_LINES_OF_CHUNK
        assert sum(map(len, batch)) <= MAX_BATCH_BYTES
        found += batch
        offset = tail.read(offset).end_offset
    assert found == lines


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"plain", "plain"),
        (b"windows\r", "windows"),
        (b"10%\r50%\r100%", "100%"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        (b"\x1b[31mred\x1b[0m", "red"),
    ],
)
def test_a_log_line_is_shown_as_a_terminal_leaves_it(line: bytes, text: str) -> None:
    assert shown(line) == text


def test_a_cut_line_says_so() -> None:
    text = shown(b"w" * 5000)
    assert text.startswith("w" * MAX_LOG_LINE_CHARS + " [cut: the line has 5,000 characters or more")


def test_rewinding_skips_what_the_database_has(run: RunFolder) -> None:
    run.events.write_text("".join(json.dumps({"seq": seq}) + "\n" for seq in (1, 2, 5, 6)))
    run.engine_log.write_text("a\nbb\nccc\n")
    control = ControlRecord(attempt=1, desired="run", ingested_seq=4, ingested_line=2)
    assert position_after(control, run) == Position(events_offset=22, log_offset=5, log_line=3)
    nothing = ControlRecord(attempt=1, desired="run", ingested_seq=0, ingested_line=0)
    assert position_after(nothing, run) == START


def test_a_full_stream_takes_nothing_and_loses_nothing(
    publisher: Publisher, run: RunFolder, backend: BackendStandIn
) -> None:
    for _ in range(MOST_STREAM_ENTRIES):
        publisher.publish_out_of_turn(BEAT)
    assert publisher.publish_out_of_turn(BEAT).verdict is Verdict.FULL
    run.events.write_text('{"seq": 1}\n')
    forwarder = Forwarder(publisher, run, JOB, "h")
    assert forwarder.forward(final=False) is Progress.BLOCKED
    backend.read()
    assert forwarder.forward(final=False) is Progress.MOVED_ON
    backend.read()
    assert backend.events(JOB) == [{"seq": 1}]


def test_a_call_that_succeeded_unheard_is_not_sent_twice(
    publisher: Publisher, run: RunFolder, backend: BackendStandIn, valkey: ValkeyServer
) -> None:
    run.events.write_text('{"seq": 1}\n{"seq": 2}\n')
    forwarder = Forwarder(publisher, run, JOB, "h")
    unheard = Forwarder(Publisher(valkey.client(), JOB.job_id, JOB.attempt), run, JOB, "h")
    assert unheard.forward(final=False) is Progress.MOVED_ON
    assert forwarder.forward(final=False) is Progress.MORE
    assert forwarder.forward(final=False) is Progress.IDLE
    backend.read()
    assert backend.events(JOB) == [{"seq": 1}, {"seq": 2}]


def test_after_a_total_loss_nothing_is_sent_before_the_backend_says_what_it_has(
    publisher: Publisher, run: RunFolder, backend: BackendStandIn
) -> None:
    run.events.write_text('{"seq": 1}\n{"seq": 2}\n')
    forwarder = Forwarder(publisher, run, JOB, "h")
    forwarder.forward(final=False)
    backend.bus.flushall()
    with run.events.open("a") as file:
        file.write('{"seq": 3}\n')
    assert forwarder.forward(final=False) is Progress.MORE
    assert forwarder.forward(final=False) is Progress.BLOCKED
    backend.bus.set(
        "tunedeck:control:job1",
        ControlRecord(attempt=1, desired="run", ingested_seq=1, ingested_line=0).model_dump_json(),
    )
    assert forwarder.forward(final=False) is Progress.MOVED_ON
    backend.read()
    assert backend.events(JOB) == [{"seq": 2}, {"seq": 3}]


def test_a_replaced_attempt_is_refused_by_the_bus_itself(publisher: Publisher, backend: BackendStandIn) -> None:
    backend.write_control(JOB, attempt=2)
    assert publisher.publish_out_of_turn(BEAT).verdict is Verdict.FENCED
    assert publisher.publish(BEAT, Position(1, 1, 1)).verdict is Verdict.FENCED
    backend.read()
    assert backend.messages == []
