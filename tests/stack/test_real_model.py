"""A real pretrained chat model on real conversations, from the REST call to a folder that transformers loads."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tests.engine.model.specs import layout_spec
from tests.support.up import Up, running_up
from tests.support.waiting import wait_for
from tunedeck.architecture import read_architecture
from tunedeck.lifecycle import FINAL, JobState
from tunedeck.views.jobs import JobDetail
from worker.engine.model import build_model
from worker.engine.platform import activate, init_parallel, shutdown_parallel
from worker.engine.weights import load_hf

QUESTIONS = ("What is the capital of France?", "Name three primary colours.", "Why is the sky blue? Answer briefly.")
NUM_STEPS = 4
SPEC: dict[str, Any] = {
    "name": "smollm2-alpaca",
    "model": "smollm2",
    "dataset": "alpaca",
    "data": {"validation_fraction": 0.01},
    "batching": {"train_iters": NUM_STEPS, "global_batch_size": 8, "max_tokens_per_gpu": 1024},
    "optimizer": {"lr": 5e-5, "lr_decay_style": "constant", "lr_warmup_iters": 0},
    "checkpointing": {"save_interval": 0},
}


@pytest.mark.timeout(600)
def test_smollm2_learns_from_alpaca_and_comes_back_as_a_hugging_face_folder(
    smollm2: Path, alpaca: Path, tmp_path: Path
) -> None:
    with running_up(tmp_path / "data", roots=(smollm2.parent, alpaca.parent)) as up:
        job = _trained(up, smollm2, alpaca)
        with up.client() as client:
            series = client.metrics(job.id, ("loss", "validation_loss")).series
            exports = [kept for kept in client.checkpoints(job.id) if kept.format == "huggingface"]
            made = {model.from_job: model for model in client.models()}[job.id]
    assert series["loss"].steps == tuple(range(1, NUM_STEPS + 1))
    first, *_, last = series["validation_loss"].values
    assert first is not None
    assert last is not None
    assert last < first - 0.01
    assert made.architecture == "LlamaForCausalLM"
    assert [Path(kept.path) for kept in exports] == [Path(made.path)]
    _check_export(Path(made.path), smollm2)


def test_the_untouched_import_computes_the_logits_of_transformers(smollm2: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    sequences = [tokenizer.apply_chat_template(_chat(text), return_dict=False) for text in QUESTIONS]
    reference = AutoModelForCausalLM.from_pretrained(smollm2, dtype=torch.float32)
    with torch.no_grad():
        expected_1TV = torch.cat([reference(torch.tensor([ids])).logits for ids in sequences], dim=1)
    torch.testing.assert_close(_imported_logits(smollm2, sequences), expected_1TV, rtol=0, atol=1e-3)


def _chat(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _trained(up: Up, model: Path, dataset: Path) -> JobDetail:
    with up.client() as client:
        client.add_model("smollm2", model)
        client.add_dataset("alpaca", dataset)
        job_id = client.submit(SPEC).id
        wait_for(lambda: client.job(job_id).state in FINAL, "the end of the job", 500)
        job = client.job(job_id)
    assert job.state is JobState.SUCCEEDED, job.fault
    return job


def _check_export(export: Path, base: Path) -> None:
    """It loads, it still answers, and its weights are not those it started from."""
    tokenizer = AutoTokenizer.from_pretrained(export)
    trained = AutoModelForCausalLM.from_pretrained(export, dtype=torch.float32)
    prompt = tokenizer.apply_chat_template(
        _chat(QUESTIONS[0]), add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    answer = trained.generate(**prompt, max_new_tokens=24, do_sample=False)[0, prompt["input_ids"].shape[1] :]
    assert "Paris" in tokenizer.decode(answer)
    before = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32).state_dict()
    changed = [name for name, weight in trained.state_dict().items() if not torch.equal(weight, before[name])]
    assert len(changed) == len(before)


def _imported_logits(folder: Path, sequences: list[list[int]]) -> torch.Tensor:
    """fp32 logits [1, T, V] of Megatron's model, all sequences in one pack."""
    from megatron.core.packed_seq_params import PackedSeqParams

    spec = layout_spec()
    platform = activate(spec.hardware)
    bounds = [0]
    for ids in sequences:
        bounds.append(bounds[-1] + len(ids))
    cu_seqlens = torch.tensor(bounds, dtype=torch.int32)
    longest = max(end - start for start, end in pairwise(bounds))
    packed = PackedSeqParams("thd", cu_seqlens, cu_seqlens, max_seqlen_q=longest, max_seqlen_kv=longest)
    tokens_1T = torch.tensor([[token for ids in sequences for token in ids]])
    positions_1T = torch.tensor([[place for ids in sequences for place in range(len(ids))]])
    with platform.active():
        init_parallel(platform, spec.parallelism, spec.seed)
        try:
            architecture = read_architecture(folder)
            (model,) = build_model(architecture, spec, platform)
            load_hf([model], architecture, folder)
            with torch.no_grad():
                logits_1TV: torch.Tensor = model(tokens_1T, positions_1T, None, packed_seq_params=packed)
        finally:
            shutdown_parallel()
    return logits_1TV
