"""One process, in this process: resuming, stopping, checkpoints, events, and what is refused."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.engine.tiny import events, losses, resolved_spec, train_here, with_broken_weight
from tunedeck.errors import BadInput, Conflict, DatasetInvalid, LossNotFinite, NotFound, SpecInvalid
from tunedeck.events import event_adapter
from tunedeck.metrics import BY_NAME, CATALOGUE
from tunedeck.run_folder import RunFolder
from worker.engine.attempt import Attempt
from worker.engine.event_log import EventLog
from worker.engine.model.packed_attention import PackedAttention
from worker.engine.training import data_source
from worker.engine.training.run import train

# By a dense model on a CPU.
NOT_TOLD = {metric.name for metric in CATALOGUE if metric.group in ("device", "fp8", "experts")} | {
    *("tflops_per_gpu", "mfu", "reserved_memory_bytes")
}


@pytest.fixture(scope="module")
def whole(tiny_qwen3: Path, sums: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of 24 steps (more than two epochs) with all that a run can leave behind."""
    folder = tmp_path_factory.mktemp("whole")
    spec = resolved_spec(
        tiny_qwen3,
        sums,
        batching={"train_iters": 24},
        evaluation={"eval_interval": 10},
        checkpointing={"save_interval": 7, "keep_last": 2, "export_hf": True},
    )
    assert train_here(spec, folder) == "succeeded"
    return folder


def test_the_events_tell_the_whole_run(whole: Path) -> None:
    told = events(whole)
    for event in told:
        event_adapter.validate_python(event)
    assert [event["seq"] for event in told] == list(range(1, len(told) + 1))
    assert [event["step"] for event in events(whole, "step")] == list(range(1, 25))
    assert [event["step"] for event in events(whole, "eval")] == [0, 10, 20, 24]
    assert [event["phase"] for event in events(whole, "phase")] == [
        *("preparing", "loading", "training", "saving", "exporting"),
    ]
    assert told[-1]["outcome"] == "succeeded"
    facts = events(whole, "plan")[0]["facts"]
    assert (facts["num_training_samples"], facts["num_validation_samples"]) == (88, 8)
    assert (facts["params_dtype"], facts["fp8"]) == ("float32", "none")


def test_every_step_tells_every_metric(whole: Path) -> None:
    for event in events(whole, "step"):
        assert set(event["metrics"]) == {name for name in BY_NAME if name not in NOT_TOLD | {"validation_loss"}}
        assert all(value is not None and math.isfinite(value) for value in event["metrics"].values())
    assert all(set(event["metrics"]) == {"validation_loss"} for event in events(whole, "eval"))
    assert losses(whole)[-1] < losses(whole)[0] / 2


def test_the_parts_of_a_step_make_up_the_step(whole: Path) -> None:
    for event in events(whole, "step"):
        told = event["metrics"]
        parts = ("data_time_s", "forward_backward_time_s", "optimizer_time_s", "wait_time_s")
        assert sum(told[part] for part in parts) == pytest.approx(told["step_time_s"], abs=1e-6)
        assert told["forward_backward_time_s"] > 0
        assert told["tokens_per_s"] == pytest.approx(told["num_tokens"] / told["step_time_s"])


def test_the_learning_rate_told_is_the_one_that_the_step_used(whole: Path) -> None:
    rates = [event["metrics"]["lr"] for event in events(whole, "step")]
    assert rates[:3] == pytest.approx([0.0, 2.5e-3, 5e-3])
    assert rates[-1] == pytest.approx(5e-4 + 4.5e-3 * (1 + math.cos(math.pi * 21 / 22)) / 2)


def test_only_the_last_checkpoints_are_kept_and_the_removed_are_told(whole: Path) -> None:
    saved = [event for event in events(whole, "checkpoint") if event["format"] == "dist_checkpointing"]
    removed = events(whole, "checkpoint_removed")
    assert [event["step"] for event in saved] == [7, 14, 21, 24]
    assert [event["step"] for event in removed] == [7, 14]
    assert sorted(path.name for path in (whole / "checkpoints").iterdir()) == ["iter_0000021", "iter_0000024"]
    for event in saved[2:]:
        files = [file for file in (whole / event["path"]).rglob("*") if file.is_file()]
        assert event["size_bytes"] == sum(file.stat().st_size for file in files)


def test_the_export_answers_in_transformers_as_it_was_trained(whole: Path, sums: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(whole / "export", dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(whole / "export")
    summed = count = 0.0
    for index in _validation_rows():
        row = json.loads(sums.read_text().splitlines()[index])["messages"]
        tokens = tokenizer.apply_chat_template(row, tokenize=True, return_dict=False)
        losses_L = torch.nn.functional.cross_entropy(
            model(torch.tensor([tokens])).logits[0, :-1], torch.tensor(tokens[1:]), reduction="none"
        )
        learned = _behind_assistant_headers(tokenizer, tokens)
        summed += float(losses_L[learned[1:]].sum().detach())
        count += float(learned[1:].sum())
    assert events(whole, "eval")[-1]["metrics"]["validation_loss"] == pytest.approx(summed / count, abs=1e-4)


def _validation_rows() -> list[int]:
    drawn = list(range(96))
    random.Random(42).shuffle(drawn)
    return drawn[:8]


def _behind_assistant_headers(tokenizer: Any, tokens: list[int]) -> torch.Tensor:
    header = tokenizer.encode("<|im_start|>assistant\n", add_special_tokens=False)
    learned, inside = torch.zeros(len(tokens), dtype=torch.bool), False
    for index, token in enumerate(tokens):
        if token == header[0]:
            inside = False
        learned[index] = inside
        if tokens[index + 1 - len(header) : index + 1] == header:
            inside = True
    return learned


@pytest.mark.parametrize("use_distributed_optimizer", [True, False])
def test_a_resumed_run_goes_on_bit_for_bit(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, use_distributed_optimizer: bool
) -> None:
    spec = resolved_spec(
        tiny_qwen3,
        sums,
        batching={"train_iters": 16},
        parallelism={"use_distributed_optimizer": use_distributed_optimizer},
        checkpointing={"save_interval": 9},
    )
    train_here(spec, tmp_path / "first")
    train_here(spec, tmp_path / "second", tmp_path / "first" / "checkpoints" / "iter_0000009")
    assert losses(tmp_path / "second") == losses(tmp_path / "first")[9:]
    plan = events(tmp_path / "second", "plan")[0]
    assert (plan["first_step"], plan["train_iters"]) == (10, 16)
    last = [events(tmp_path / run, "eval")[-1]["metrics"] for run in ("first", "second")]
    assert last[0] == last[1]


def test_a_stop_request_ends_with_a_checkpoint_that_goes_on(tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    spec = resolved_spec(tiny_qwen3, sums, batching={"train_iters": 12})
    train_here(spec, tmp_path / "unbroken")
    stopped = tmp_path / "stopped"
    (stopped / "control").mkdir(parents=True)
    with AsksToStop(stopped / "events.jsonl") as log:
        assert train(Attempt(spec, RunFolder(stopped), None, log)) == "stopped"
    assert [event["path"] for event in events(stopped, "checkpoint")] == ["checkpoints/iter_0000005"]
    checkpoint = stopped / "checkpoints" / "iter_0000005"
    train_here(spec, tmp_path / "resumed", checkpoint)
    assert losses(stopped) + losses(tmp_path / "resumed") == losses(tmp_path / "unbroken")


class AsksToStop(EventLog):
    """Asks for the stop as soon as step 4 has been told, as the worker might."""

    def step(self, step: int, metrics: Mapping[str, float]) -> None:
        super().step(step, metrics)
        if step == 4:
            RunFolder(self.path.parent).stop_request.touch()


def test_a_stop_request_is_answered_with_the_checkpoint_before_any_validation(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    spec = resolved_spec(tiny_qwen3, sums, batching={"train_iters": 12}, evaluation={"eval_interval": 5})
    (tmp_path / "control").mkdir()
    with AsksToStop(tmp_path / "events.jsonl") as log:
        assert train(Attempt(spec, RunFolder(tmp_path), None, log)) == "stopped"
    assert [event["step"] for event in events(tmp_path, "checkpoint")] == [5]
    assert [event["step"] for event in events(tmp_path, "eval")] == [0]


def test_the_validation_loss_does_not_depend_on_how_many_samples_are_packed_at_once(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = resolved_spec(tiny_qwen3, sums, batching={"train_iters": 1}, optimizer={"lr_warmup_iters": 0})
    train_here(spec, tmp_path / "at-once")
    monkeypatch.setattr(data_source, "VALIDATION_BATCH_SIZE", 3)  # 8 samples: 3, 3 and 2, of unequal lengths
    train_here(spec, tmp_path / "in-parts")
    at_once, in_parts = (
        [event["metrics"]["validation_loss"] for event in events(tmp_path / run, "eval")]
        for run in ("at-once", "in-parts")
    )
    assert in_parts == pytest.approx(at_once, abs=1e-6)


def test_a_validation_keeps_nothing_for_a_backward_pass(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, bool]] = []
    attend = PackedAttention.forward

    def watched(self: PackedAttention, *args: Any, **kwargs: Any) -> torch.Tensor:
        context = attend(self, *args, **kwargs)
        seen.append((self.training, context.requires_grad))
        return context

    monkeypatch.setattr(PackedAttention, "forward", watched)
    train_here(resolved_spec(tiny_qwen3, sums), tmp_path)
    assert set(seen) == {(True, True), (False, False)}


def test_a_stop_request_before_the_first_step_trains_nothing(tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "stop").touch()
    assert train_here(resolved_spec(tiny_qwen3, sums), tmp_path) == "stopped"
    assert not events(tmp_path, "step")
    assert not events(tmp_path, "checkpoint")


def test_a_loss_that_is_not_finite_ends_the_run_before_a_checkpoint(
    tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    broken = with_broken_weight(tiny_qwen3, tmp_path / "model")
    with pytest.raises(LossNotFinite, match="the loss of step 1 is nan") as caught:
        train_here(resolved_spec(broken, sums, data={"num_validation_rows": 0}), tmp_path / "run")
    assert "optimizer.lr" in caught.value.mend
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_run_without_validation_rows_has_no_validation_loss(tiny_qwen3: Path, sums: Path, tmp_path: Path) -> None:
    train_here(resolved_spec(tiny_qwen3, sums, data={"num_validation_rows": 0}), tmp_path)
    assert not events(tmp_path, "eval")
    assert len(losses(tmp_path)) == 6


@pytest.mark.parametrize(
    ("changes", "kind", "said"),
    [
        ({"data": {"content_sha256": "0" * 64}}, DatasetInvalid, "has changed since it was registered"),
        ({"data": {"num_validation_rows": 96}}, DatasetInvalid, "leave nothing to train on"),
        ({"optimizer": {"lr_warmup_iters": 6}}, SpecInvalid, "6 steps of warm-up do not fit into a run of 6 steps"),
        ({"optimizer": {"min_lr": 1.0}}, SpecInvalid, "min_lr 1.0 is above lr 0.005"),
        ({"hardware": {"num_devices": 2}}, SpecInvalid, "the spec is for 2 processes, but 1 were started"),
    ],
)
def test_what_cannot_run_is_refused_by_name(
    tiny_qwen3: Path, sums: Path, tmp_path: Path, changes: dict[str, Any], kind: type[BadInput], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        train_here(resolved_spec(tiny_qwen3, sums, **changes), tmp_path)
    assert caught.value.mend


def test_only_a_whole_checkpoint_of_the_same_data_is_resumed(
    whole: Path, tiny_qwen3: Path, sums: Path, tmp_path: Path
) -> None:
    with pytest.raises(NotFound, match="is not a complete checkpoint"):
        train_here(resolved_spec(tiny_qwen3, sums), tmp_path / "a", tmp_path)
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(sums.read_text().splitlines()[:50]))
    with pytest.raises(Conflict, match="was trained on another data set"):
        train_here(resolved_spec(tiny_qwen3, other), tmp_path / "b", whole / "checkpoints" / "iter_0000021")
