"""From what was asked to what will run: fills every default in and refuses, before the queue, what cannot run.

All faults are collected and reported together, each at its field, so that a form is mended in one go. Nothing here
touches a file, a database or a GPU: the facts come in as values. Letting the engine find these faults was rejected:
it would find them after the job waited for hours, one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem, SpecInvalid
from tunedeck.precision_rules import precision_problems
from tunedeck.resolved import (
    ResolvedBatching,
    ResolvedData,
    ResolvedHardware,
    ResolvedModel,
    ResolvedOptimizer,
    ResolvedPrecision,
    ResolvedRecompute,
    ResolvedSpec,
)
from tunedeck.spec import JobSpec

DEFAULT_WARMUP_FRACTION = 0.1
# Data loading and checkpoint writing use a few threads beside the one that feeds the GPU.
THREADS_PER_GPU_PROCESS = 4


@dataclass(frozen=True)
class ModelFacts:
    """A registered model; `config` is its config.json."""

    name: str
    path: str
    architecture: str
    num_parameters: int
    config: dict[str, Any]


@dataclass(frozen=True)
class DatasetFacts:
    """A registered data set; a row is trainable when it has at least one non-empty assistant turn."""

    name: str
    path: str
    content_sha256: str
    num_rows: int
    num_trainable_rows: int


def resolve(spec: JobSpec, model: ModelFacts, dataset: DatasetFacts, hosts: Sequence[HostFacts]) -> ResolvedSpec:
    """The job as the engine will get it. Raises SpecInvalid with every problem that was found."""
    problems: list[Problem] = []
    host = _choose_host(spec, hosts, problems)
    if host is None:
        raise _invalid(problems)
    resolved_model = _model(model)
    hardware = _hardware(spec, host, problems)
    _check_layout(spec, resolved_model, problems)
    data = _data(spec, dataset)
    batching = _batching(spec, data, dataset.num_trainable_rows, hardware, problems)
    optimizer = _optimizer(spec, batching.train_iters, problems)
    recompute = _recompute(spec, problems)
    problems.extend(precision_problems(spec.precision, host))
    if problems:
        raise _invalid(problems)
    return ResolvedSpec(
        name=spec.name,
        seed=spec.seed,
        model=resolved_model,
        data=data,
        batching=batching,
        optimizer=optimizer,
        parallelism=spec.parallelism,
        precision=_precision(spec, host),
        recompute=recompute,
        evaluation=spec.evaluation,
        checkpointing=spec.checkpointing,
        hardware=hardware,
    )


def _invalid(problems: list[Problem]) -> SpecInvalid:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return SpecInvalid(f"the job cannot run: {first.message}{more}", first.mend, tuple(problems))


def _choose_host(spec: JobSpec, hosts: Sequence[HostFacts], problems: list[Problem]) -> HostFacts | None:
    """The host kind that the job is resolved for: GPUs where there are any, else CPU; the largest host of that kind."""
    field, wanted = "resources.num_devices", spec.resources.num_devices
    if not hosts:
        problems.append(Problem(field, wanted, "no worker is connected", "start one: `tunedeck up`"))
        return None
    kind = "cuda" if any(host.kind == "cuda" for host in hosts) else "cpu"
    largest = max((host for host in hosts if host.kind == kind), key=lambda host: len(host.devices))
    available = len(largest.devices)
    if wanted > available:
        what = "GPUs" if kind == "cuda" else "CPU cores"
        message = f"{wanted} devices were asked for, the largest host ({largest.name}) has {available} {what}"
        problems.append(Problem(field, wanted, message, f"ask for at most {available}"))
    return largest


def _model(model: ModelFacts) -> ResolvedModel:
    config = model.config
    num_heads = int(config["num_attention_heads"])
    return ResolvedModel(
        name=model.name,
        path=model.path,
        architecture=model.architecture,
        num_parameters=model.num_parameters,
        num_layers=int(config["num_hidden_layers"]),
        hidden_size=int(config["hidden_size"]),
        num_attention_heads=num_heads,
        num_query_groups=int(config.get("num_key_value_heads") or num_heads),
        vocab_size=int(config["vocab_size"]),
        max_position_embeddings=int(config["max_position_embeddings"]),
    )


def _hardware(spec: JobSpec, host: HostFacts, problems: list[Problem]) -> ResolvedHardware:
    num_devices = spec.resources.num_devices
    layout = spec.parallelism
    model_parallel = layout.tensor_model_parallel_size * layout.pipeline_model_parallel_size
    if num_devices % model_parallel:
        message = (
            f"{num_devices} devices cannot be parted into groups of {model_parallel} "
            f"(tensor {layout.tensor_model_parallel_size} × pipeline {layout.pipeline_model_parallel_size})"
        )
        problems.append(Problem("resources.num_devices", num_devices, message, f"use a multiple of {model_parallel}"))
    threads = THREADS_PER_GPU_PROCESS if host.kind == "cuda" else max(1, len(host.devices) // num_devices)
    return ResolvedHardware(
        device=host.kind,
        num_devices=num_devices,
        data_parallel_size=max(1, num_devices // model_parallel),
        threads_per_process=threads,
    )


def _check_layout(spec: JobSpec, model: ResolvedModel, problems: list[Problem]) -> None:
    layout = spec.parallelism
    tensor, pipeline = layout.tensor_model_parallel_size, layout.pipeline_model_parallel_size
    parted = {"attention heads": model.num_attention_heads, "query groups": model.num_query_groups}
    for what, number in parted.items():
        if number % tensor:
            message = f"tensor parallel {tensor} does not divide the {number} {what} of {model.name}"
            mend = f"use a divisor of {number}"
            problems.append(Problem("parallelism.tensor_model_parallel_size", tensor, message, mend))
    if model.num_layers % pipeline:
        message = f"pipeline parallel {pipeline} does not divide the {model.num_layers} layers of {model.name}"
        mend = f"use a divisor of {model.num_layers}"
        problems.append(Problem("parallelism.pipeline_model_parallel_size", pipeline, message, mend))
    if layout.sequence_parallel and tensor == 1:
        message = "sequence parallel needs tensor parallel of at least 2"
        mend = "switch it off or raise tensor_model_parallel_size"
        problems.append(Problem("parallelism.sequence_parallel", True, message, mend))


def _data(spec: JobSpec, dataset: DatasetFacts) -> ResolvedData:
    held_out = round(dataset.num_trainable_rows * spec.data.validation_fraction)
    if spec.data.validation_fraction > 0 and dataset.num_trainable_rows > 1:
        held_out = max(1, held_out)
    return ResolvedData(
        name=dataset.name,
        path=dataset.path,
        content_sha256=dataset.content_sha256,
        num_rows=dataset.num_rows,
        loss_mask_type=spec.data.loss_mask_type,
        num_validation_rows=held_out,
    )


def _batching(
    spec: JobSpec, data: ResolvedData, num_trainable: int, hardware: ResolvedHardware, problems: list[Problem]
) -> ResolvedBatching:
    """Steps of an epoch are `rows // global_batch_size`, as the recipe counts them; the tail opens the next epoch."""
    asked = spec.batching
    num_rows = num_trainable - data.num_validation_rows
    size = asked.global_batch_size
    if asked.num_epoch is not None and asked.train_iters is not None:
        message = f"both num_epoch ({asked.num_epoch}) and train_iters ({asked.train_iters}) are given"
        problems.append(Problem("batching.train_iters", asked.train_iters, message, "give one of the two"))
    if size > num_rows:
        message = f"a batch of {size} is more than the {num_rows} training rows of {data.name}"
        problems.append(Problem("batching.global_batch_size", size, message, f"use at most {num_rows}"))
    if size < hardware.data_parallel_size:
        message = f"a batch of {size} gives nothing to some of the {hardware.data_parallel_size} data-parallel ranks"
        mend = f"use at least {hardware.data_parallel_size}"
        problems.append(Problem("batching.global_batch_size", size, message, mend))
    num_epoch = 1.0 if asked.num_epoch is None else asked.num_epoch
    train_iters = asked.train_iters or max(1, int(num_rows // size * num_epoch))
    return ResolvedBatching(
        max_tokens_per_gpu=asked.max_tokens_per_gpu,
        global_batch_size=size,
        train_iters=train_iters,
        rollout_shuffle=asked.rollout_shuffle,
    )


def _optimizer(spec: JobSpec, train_iters: int, problems: list[Problem]) -> ResolvedOptimizer:
    asked = spec.optimizer
    if asked.lr_warmup_fraction is not None and asked.lr_warmup_iters is not None:
        message = f"both lr_warmup_fraction ({asked.lr_warmup_fraction}) and lr_warmup_iters ({asked.lr_warmup_iters})"
        field = "optimizer.lr_warmup_iters"
        problems.append(Problem(field, asked.lr_warmup_iters, f"{message} are given", "give one of the two"))
    if asked.min_lr > asked.lr:
        message = f"min_lr ({asked.min_lr}) is above lr ({asked.lr})"
        problems.append(Problem("optimizer.min_lr", asked.min_lr, message, f"use at most {asked.lr}"))
    if asked.min_lr and asked.lr_decay_style == "constant":
        message = f"min_lr ({asked.min_lr}) is never reached: lr_decay_style constant keeps lr"
        problems.append(Problem("optimizer.min_lr", asked.min_lr, message, "set it to 0, or decay cosine or linear"))
    fraction = DEFAULT_WARMUP_FRACTION if asked.lr_warmup_fraction is None else asked.lr_warmup_fraction
    warmup = int(fraction * train_iters) if asked.lr_warmup_iters is None else asked.lr_warmup_iters
    if warmup and warmup >= train_iters:
        message = f"a warm-up of {warmup} steps leaves nothing of the {train_iters} steps of the job"
        problems.append(Problem("optimizer.lr_warmup_iters", warmup, message, f"use at most {train_iters - 1}"))
    return ResolvedOptimizer(
        lr=asked.lr,
        min_lr=asked.min_lr,
        lr_decay_style=asked.lr_decay_style,
        lr_warmup_iters=warmup,
        weight_decay=asked.weight_decay,
        adam_beta1=asked.adam_beta1,
        adam_beta2=asked.adam_beta2,
        adam_eps=asked.adam_eps,
        clip_grad=asked.clip_grad,
    )


def _recompute(spec: JobSpec, problems: list[Problem]) -> ResolvedRecompute:
    asked = spec.recompute
    if asked.recompute_num_layers > 1 and asked.recompute_granularity != "full":
        field, value = "recompute.recompute_num_layers", asked.recompute_num_layers
        message = f"{value} layers at a time mean nothing with recompute_granularity {asked.recompute_granularity}"
        problems.append(Problem(field, value, message, "leave it out, or set recompute_granularity to full"))
    return ResolvedRecompute(
        recompute_granularity=asked.recompute_granularity, recompute_num_layers=asked.recompute_num_layers
    )


def _precision(spec: JobSpec, host: HostFacts) -> ResolvedPrecision:
    asked = spec.precision
    return ResolvedPrecision(
        params_dtype=asked.params_dtype or ("bf16" if host.kind == "cuda" else "fp32"),
        fp8_format=asked.fp8_format or "none",
        fp8_recipe=asked.fp8_recipe or "blockwise",
        fp8_param_gather=asked.fp8_param_gather,
    )
