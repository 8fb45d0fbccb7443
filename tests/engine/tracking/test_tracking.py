"""One run with everything that a CPU can record, read back by the tools that the files are for."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.engine.tiny import events, losses, resolved_spec, train_here
from tunedeck.errors import SpecInvalid
from tunedeck.metrics import CATALOGUE
from worker.engine.tracking.curves import KNOWN_NAMES, known_name
from worker.engine.tracking.profile import ProfilerWindow

EVERYTHING = {"use_tensorboard": True, "use_wandb": True, "profile_step_start": 4, "profile_step_end": 6}


@pytest.fixture(scope="module")
def tracked(tiny_qwen3: Path, sums: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 6 steps."""
    folder = tmp_path_factory.mktemp("tracked")
    train_here(resolved_spec(tiny_qwen3, sums, tracking=EVERYTHING, evaluation={"eval_interval": 3}), folder)
    return folder


def test_tensorboard_reads_the_losses_of_the_events(tracked: Path) -> None:
    curves = EventAccumulator(str(tracked / "artifacts" / "tensorboard"))
    curves.Reload()
    scalars = curves.Scalars("train/loss")
    assert [point.step for point in scalars] == [1, 2, 3, 4, 5, 6]
    assert [point.value for point in scalars] == pytest.approx(losses(tracked))
    assert [point.step for point in curves.Scalars("eval/loss")] == [0, 3, 6]
    assert {"perf/step_time", "train/lr-pg_0", "data/padding_share"} <= set(curves.Tags()["scalars"])


def test_wandb_has_a_run_offline_with_every_step(tracked: Path) -> None:
    (file,) = (tracked / "artifacts" / "wandb" / "wandb").glob("offline-run-*/run-*.wandb")
    records = file.read_bytes()  # protobuf, in which texts stand as they are
    assert records.count(b"train/loss") >= 6
    assert b"tunedeck" in records


def test_the_profile_holds_the_steps_of_the_window_and_no_others(tracked: Path) -> None:
    (file,) = (tracked / "artifacts" / "profile").iterdir()
    assert file.name == "rank0-steps-4-5.pt.trace.json.gz"
    trace = json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
    # One output layer a microbatch forward, so the number of microbatches of steps 4 and 5 is told by the trace.
    products = [event for event in trace if event.get("name") == "_LinearCrossEntropy"]
    microbatches = [event["metrics"]["num_microbatches"] for event in events(tracked, "step")]
    assert len(products) == sum(microbatches[3:5])


def test_tracking_changes_no_loss(tracked: Path, tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    train_here(resolved_spec(tiny_qwen3, sums, evaluation={"eval_interval": 3}), tmp_path)
    assert losses(tmp_path) == losses(tracked)
    assert not (tmp_path / "artifacts").exists()


def test_a_run_that_ends_inside_the_window_leaves_what_was_recorded(tmp_path: Path) -> None:
    window = ProfilerWindow(tmp_path, 2, 9)
    for step in (1, 2, 3):
        window.step_begins(step)
        window.step_ended(step)
    assert not list(tmp_path.iterdir())
    window.close(last_step=3)
    assert [path.name for path in tmp_path.iterdir()] == ["rank0-steps-2-3.pt.trace.json.gz"]


@pytest.mark.parametrize(("field", "module"), [("use_wandb", "wandb"), ("use_tensorboard", "tensorboard")])
def test_a_library_that_is_missing_is_named(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SpecInvalid, match=f"tracking.{field} needs {module}"):
        train_here(resolved_spec(tiny_qwen3, sums, tracking={field: True}), tmp_path)


def test_every_metric_has_one_name_of_its_own() -> None:
    names = [known_name(metric.name) for metric in CATALOGUE]
    assert len(set(names)) == len(names)
    assert set(KNOWN_NAMES) <= {metric.name for metric in CATALOGUE}
    assert known_name("memory_bytes.rank3") == "memory/memory_bytes.rank3"
