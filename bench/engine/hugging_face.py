"""The peer that most people use: transformers and torch's fused AdamW, tuned.

Documents of a batch are sorted by length and put side by side in the way that pads least, without making microbatches
smaller than a device needs to be busy. The padding is on the right, so that causal attention needs no mask and SDPA
takes its flash kernel. On a GPU weights and moments are bf16. Eager and compiled are rows of their own, and the better
one counts.

Shapes: B documents of a microbatch, L tokens of the longest of them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from bench.engine.jobs import Workload, job_of
from bench.engine.row import Measured, Step
from tunedeck.flops import Work, causal_pairs
from tunedeck.packing import EpochOrder, split
from tunedeck.resolved import ResolvedSpec
from tunedeck.tokens.cache import TokenCache
from tunedeck.tokens.preparation import TokenSource
from worker.engine.data.samples import Samples
from worker.engine.platform import Platform

# About how many tokens a microbatch must have before it takes longer than a smaller one; a guess in the favour of HF.
BUSY_TOKENS = {"cuda": 4096, "cpu": 128}


def measure_hugging_face(work: Workload, folder: Path, *, is_compiled: bool) -> Measured:
    """On one device. Raises RuntimeError under torchrun, where every rank would do the same."""
    if work.num_devices > 1:
        raise RuntimeError("a Hugging Face row is measured on one device, without torchrun")
    spec = job_of(work, "bf16" if torch.cuda.is_available() else "fp32", [])
    samples = samples_of(spec, folder)
    order = EpochOrder(split(len(samples), 0, spec.seed).training, spec.seed, shuffle=True)
    platform = _platform()
    torch.set_num_threads(work.threads)
    model = _model(work.model, platform)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    forward = torch.compile(model, dynamic=True) if is_compiled else model
    steps = []
    for number in range(work.num_warm_up + work.num_steps):
        indices = order.take(number * work.global_batch_size, work.global_batch_size)
        steps.append(_step(forward, optimizer, samples, list(indices), work, platform))
    peak = platform.memory().peak_bytes
    return Measured(steps[work.num_warm_up :], peak, f"1x{platform.device.type} tokens{work.max_tokens_per_gpu}")


def samples_of(spec: ResolvedSpec, folder: Path) -> Samples:
    """The tokens that the engine would train, prepared below `folder`."""
    data = spec.data
    source = TokenSource(Path(data.path), data.content_sha256, data.reading, Path(spec.model.path), data.loss_mask_type)
    return Samples.open(TokenCache(folder).folder(source))


def _platform() -> Platform:
    if torch.cuda.is_available():
        return Platform(torch.device("cuda", 0), "nccl")
    return Platform(torch.device("cpu"), "gloo")


def _model(path: Path, platform: Platform) -> Any:
    dtype = torch.bfloat16 if platform.device.type == "cuda" else torch.float32
    config = AutoConfig.from_pretrained(path)
    with platform.device:
        model = AutoModelForCausalLM.from_config(config, dtype=dtype, attn_implementation="sdpa")
    model.config.use_cache = False
    return model.train()


def _step(model: Any, optimizer: Any, samples: Samples, indices: list[int], work: Workload, platform: Platform) -> Step:
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    num_trained = int(sum(samples.num_learned_S[index] for index in indices))
    padded = 0
    for group in microbatches(samples, indices, work.max_tokens_per_gpu):
        tokens_BL, labels_BL = (part.to(platform.device) for part in _padded(samples, group))
        padded += tokens_BL.numel()
        loss = model(input_ids=tokens_BL, labels=labels_BL, num_items_in_batch=num_trained).loss
        loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    platform.synchronize()
    lengths = [samples.length(index) for index in indices]
    done = Work(sum(lengths), causal_pairs(lengths), sum(lengths))
    return Step(time.perf_counter() - start, done, padded - sum(lengths))


def grouped(lengths: list[int], max_tokens: int, busy_tokens: int) -> list[int]:
    """Sizes of the groups into which documents of growing length are cut at the least cost.

    A group costs its tokens, padded to its longest, and never less than `busy_tokens`. Found by dynamic programming.
    """
    best: list[tuple[int, int]] = [(0, 0)]  # cost of the first documents, and the size of the last group
    for end, longest in enumerate(lengths, start=1):
        sizes = range(1, max(1, min(end, max_tokens // longest)) + 1)
        best.append(min((best[end - size][0] + max(size * longest, busy_tokens), size) for size in sizes))
    sizes_backwards, end = [], len(lengths)
    while end:
        sizes_backwards.append(best[end][1])
        end -= best[end][1]
    return sizes_backwards[::-1]


def microbatches(samples: Samples, indices: list[int], max_tokens: int) -> Iterator[list[int]]:
    """Documents of like length side by side."""
    by_length = iter(sorted(indices, key=samples.length))
    lengths = sorted(map(samples.length, indices))
    for size in grouped(lengths, max_tokens, BUSY_TOKENS["cuda" if torch.cuda.is_available() else "cpu"]):
        yield list(islice(by_length, size))


def _padded(samples: Samples, group: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(samples.length(index) for index in group)
    tokens_BL = np.zeros((len(group), longest), np.int64)
    labels_BL = np.full((len(group), longest), -100, np.int64)
    for row, index in enumerate(group):
        tokens_L, learned_L = samples.tokens(index), samples.learned(index)
        tokens_BL[row, : len(tokens_L)] = tokens_L
        labels_BL[row, : len(tokens_L)] = np.where(learned_L, tokens_L, -100)
    return torch.from_numpy(tokens_BL), torch.from_numpy(labels_BL)
