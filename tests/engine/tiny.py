"""Models, specs and runs so small that a test may use the real thing: real Megatron-core, real torchrun."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

from tests.support.resolved import resolved_json
from tests.support.tokenizers import CHATML, VOCAB_SIZE, train_tokenizer
from tunedeck.conversations.scan import scan
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from tunedeck.spec import Parallelism
from worker.engine.attempt import Attempt
from worker.engine.event_log import EventLog
from worker.engine.platform import shutdown_parallel
from worker.engine.training.run import train
from worker.engine.whereabouts import Whereabouts

FIRST_PORT, NUM_PORTS = 20_000, 12_000


def with_broken_weight(model: Path, folder: Path) -> Path:
    """A copy of a model folder in which one weight is not a number."""
    shutil.copytree(model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = math.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def write_model(folder: Path, chat_template: str | None = CHATML, **config: Any) -> Path:
    """Write a tiny random Qwen3 and its tokenizer into `folder` with save_pretrained."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=train_tokenizer(), eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = chat_template
    tokenizer.save_pretrained(folder)
    torch.manual_seed(1)
    fields = {
        "vocab_size": VOCAB_SIZE,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 512,
        "tie_word_embeddings": True,
        "initializer_range": 0.1,
    }
    Qwen3ForCausalLM(Qwen3Config(**{**fields, **config})).save_pretrained(folder)
    return folder


def resolved_spec(model: Path, data: Path, num_devices: int = 1, /, **changes: dict[str, Any]) -> ResolvedSpec:
    """A spec for `model` and `data`; `changes` are laid over it, section by section."""
    config = json.loads((model / "config.json").read_text())
    report = scan(data)
    spec = resolved_json(
        name="tiny",
        model={
            "path": str(model),
            "architecture": config["architectures"][0],
            "num_layers": config["num_hidden_layers"],
            "hidden_size": config["hidden_size"],
            "ffn_hidden_size": config["intermediate_size"],
            "num_attention_heads": config["num_attention_heads"],
            "num_query_groups": config["num_key_value_heads"],
            "num_experts": config.get("num_experts", 0),
            "moe_ffn_hidden_size": config.get("moe_intermediate_size", 0),
            "vocab_size": config["vocab_size"],
            "max_position_embeddings": config["max_position_embeddings"],
        },
        data={
            "path": str(data),
            "content_sha256": report.content_sha256,
            "num_rows": report.num_rows,
            "num_validation_rows": 8,
        },
        batching={"max_tokens_per_gpu": 256, "global_batch_size": 8, "train_iters": 6},
        optimizer={"lr": 5e-3, "min_lr": 5e-4, "lr_warmup_iters": 2},
        evaluation={"eval_interval": 0},
        checkpointing={"save_interval": 0, "export_hf": False},
        hardware={"num_devices": num_devices, "data_parallel_size": num_devices},
    )
    for section, fields in changes.items():
        spec[section] |= fields
    layout = Parallelism.model_validate(spec["parallelism"])
    spec["hardware"]["data_parallel_size"] = num_devices // (
        layout.tensor_model_parallel_size * layout.pipeline_model_parallel_size * layout.context_parallel_size
    )
    return ResolvedSpec.model_validate(spec)


def start_engine(spec: ResolvedSpec, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `python -m worker.engine`, alone for one device and under torchrun for more; output is joined."""
    folder.mkdir(parents=True, exist_ok=True)
    spec_file = folder / "spec.json"
    spec_file.write_text(spec.model_dump_json())
    return start(spec.hardware.num_devices, "worker.engine", str(spec_file), str(folder), *arguments)


def start(num_processes: int, module: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a module in one process, or in several under torchrun."""
    launcher = [sys.executable, "-m"]
    if num_processes > 1:
        launcher += ["torch.distributed.run", "--standalone", "--nproc-per-node", str(num_processes), "-m"]
    return subprocess.Popen(
        [*launcher, module, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def run_engine(spec: ResolvedSpec, folder: Path, *arguments: str) -> tuple[int, str]:
    """Run the engine to its end; returns (exit code, what it wrote to stdout and stderr)."""
    process = start_engine(spec, folder, *arguments)
    try:
        output, _ = process.communicate(timeout=240)
    finally:
        process.kill()
    return process.returncode, output


def events(folder: Path, kind: str = "") -> list[dict[str, Any]]:
    """The events of a run folder, or those of one kind."""
    read = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [event for event in read if kind in ("", event["kind"])]


def losses(folder: Path) -> list[float]:
    """The training loss of each step."""
    return [event["metrics"]["loss"] for event in events(folder, "step")]


def train_here(
    spec: ResolvedSpec,
    folder: Path,
    resume_from: Path | None = None,
    rank: int = 0,
    token_cache: Path | None = None,
) -> str:
    """Train in this process, without the launch around it; returns the outcome, raises what the training raises."""
    (folder / "control").mkdir(parents=True, exist_ok=True)
    try:
        if rank != 0:
            return train(Attempt(spec, RunFolder(folder), resume_from, None, Whereabouts(rank), token_cache))
        with EventLog(folder / "events.jsonl") as log:
            outcome = train(Attempt(spec, RunFolder(folder), resume_from, log, token_cache=token_cache))
            log.end(outcome)
        return outcome
    finally:
        shutdown_parallel()  # a training that fails leaves them to the end of its process


def free_port() -> int:
    """A TCP port of this machine that nobody listens on, from below those that Linux gives to outgoing connections: it
    stays free until a run of the tests gets to use it, a minute later."""
    while True:
        port = FIRST_PORT + secrets.randbelow(NUM_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
