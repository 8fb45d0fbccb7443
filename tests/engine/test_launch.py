"""`python -m worker.engine`, alone and under torchrun: what it leaves behind, and every way in which it can end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.engine.tiny import events, resolved_spec, run_engine, start, start_engine, with_broken_weight
from tunedeck.resolved import ResolvedSpec

pytestmark = pytest.mark.slow


@pytest.fixture
def begin() -> Iterator[Callable[[ResolvedSpec, Path], subprocess.Popen[str]]]:
    """Start an engine and wait for its first step; whatever is left of it is ended after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin_run(spec: ResolvedSpec, folder: Path) -> subprocess.Popen[str]:
        process = start_engine(spec, folder)
        started.append(process)
        until(lambda: (folder / "events.jsonl").exists() and bool(events(folder, "step")), process)
        return process

    yield begin_run
    for process in started:
        for descendant in _tree(process.pid):
            descendant.kill()
        process.communicate()


def until(condition: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in two minutes"
        assert process is None or process.poll() is None, process.communicate()[0] if process else ""
        time.sleep(0.05)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return []


def test_a_run_alone_leaves_spec_events_and_an_export_that_transformers_loads(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    spec_file, folder = tmp_path / "my-spec.json", tmp_path / "run"
    spec_file.write_text(resolved_spec(tiny_qwen3, sums, checkpointing={"export_hf": True}).model_dump_json())
    output, _ = (process := start(1, "worker.engine", str(spec_file), str(folder))).communicate(timeout=200)
    assert process.returncode == 0, output
    assert (folder / "spec.json").read_bytes() == spec_file.read_bytes()
    assert events(folder)[-1] | {"t": 0, "seq": 0} == {
        "kind": "end",
        "seq": 0,
        "t": 0,
        "outcome": "succeeded",
        "step": 6,
        "why": "",
    }
    assert "step 6/6 | loss" in output
    assert "Warning" not in output
    assert AutoModelForCausalLM.from_pretrained(folder / "export").config.vocab_size == 320
    assert AutoTokenizer.from_pretrained(folder / "export").chat_template
    assert {path.name for path in folder.iterdir()} == {"spec.json", "events.jsonl", "control", "checkpoints", "export"}


def test_under_torchrun_a_stop_request_ends_all_ranks_with_a_checkpoint(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, begin: Callable[[ResolvedSpec, Path], subprocess.Popen[str]]
) -> None:
    process = begin(resolved_spec(tiny_qwen3, sums, 2, batching={"train_iters": 100_000}), tmp_path)
    (tmp_path / "control" / "stop").touch()
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    end = events(tmp_path)[-1]
    assert end["outcome"] == "stopped"
    assert [event["step"] for event in events(tmp_path, "checkpoint")] == [end["step"]]


def test_a_fault_of_another_rank_is_told_by_rank_0(tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    spec = resolved_spec(tiny_qwen3, sums, 2, batching={"train_iters": 100_000})
    (tmp_path / "given.json").write_text(spec.model_dump_json())
    process = start(2, "tests.engine.rank_one_fails", str(tmp_path / "given.json"), str(tmp_path))
    output, _ = process.communicate(timeout=200)
    assert process.returncode == 1
    error, end = events(tmp_path)[-2:]
    assert (error["kind"], error["code"]) == ("error", "out_of_memory")
    assert "you tried to allocate 4294967296 bytes" in error["message"]
    assert "lower batching.max_tokens_per_gpu (now 256)" in error["mend"]
    scene = error["scene"]
    assert (scene["rank"], scene["step"], scene["doing"]) == (1, 3, "forward and backward")
    assert 0 < scene["memory_bytes"] <= scene["peak_memory_bytes"] < scene["total_memory_bytes"]
    assert (end["outcome"], end["step"]) == ("failed", 2)
    assert "DefaultCPUAllocator: can't allocate memory" in output


def test_ranks_do_not_outlive_a_killed_launcher(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, begin: Callable[[ResolvedSpec, Path], subprocess.Popen[str]]
) -> None:
    process = begin(resolved_spec(tiny_qwen3, sums, 2, batching={"train_iters": 100_000}), tmp_path)
    ranks = [child for child in _tree(process.pid) if child.pid != process.pid]
    assert len(ranks) >= 2
    process.kill()
    until(lambda: not any(rank.is_running() and rank.status() != psutil.STATUS_ZOMBIE for rank in ranks))


def test_sigterm_ends_it_at_once(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, begin: Callable[[ResolvedSpec, Path], subprocess.Popen[str]]
) -> None:
    process = begin(resolved_spec(tiny_qwen3, sums, batching={"train_iters": 100_000}), tmp_path)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 128 + signal.SIGTERM
    assert not events(tmp_path, "end")


def test_a_loss_that_is_not_finite_is_told_with_its_code(tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    spec = resolved_spec(with_broken_weight(tiny_qwen3, tmp_path / "model"), sums)
    returncode, output = run_engine(spec, tmp_path / "run")
    assert returncode == 1
    error, end = events(tmp_path / "run")[-2:]
    assert (error["code"], end["outcome"], end["step"]) == ("loss_not_finite", "failed", 0)
    assert "the loss of step 1 is nan" in error["message"]
    assert error["mend"]
    assert (error["scene"]["step"], error["scene"]["rank"]) == (1, 0)
    assert "Traceback" in output


def test_a_spec_at_fault_is_told_by_field(tmp_path: Path) -> None:
    (tmp_path / "given.json").write_text('{"name": "x", "seeed": 1}')
    process = start(1, "worker.engine", str(tmp_path / "given.json"), str(tmp_path / "run"))
    process.communicate(timeout=60)
    assert process.returncode == 1
    error, end = events(tmp_path / "run")
    assert error["code"] == "spec_invalid"
    assert "seeed: Extra inputs are not permitted" in error["message"]
    assert end["outcome"] == "failed"


def test_a_second_run_in_the_same_folder_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text("{}\n")
    process = start(1, "worker.engine", str(tmp_path / "none.json"), str(tmp_path))
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "already holds the events of a run" in output
    assert (tmp_path / "events.jsonl").read_text() == "{}\n"
