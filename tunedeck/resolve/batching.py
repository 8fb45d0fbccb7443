"""What is trained and held out, and how many steps that makes."""

from __future__ import annotations

from tunedeck.conversations.reading import Reading
from tunedeck.errors import Problem
from tunedeck.resolve.facts import DatasetFacts
from tunedeck.resolved import ResolvedBatching, ResolvedData, ResolvedHardware
from tunedeck.spec import Batching, Data

DEFAULT_VALIDATION_FRACTION = 0.02


def resolve_data(
    asked: Data, dataset: DatasetFacts, validation: DatasetFacts | None, problems: list[Problem]
) -> ResolvedData:
    if validation and asked.validation_fraction:
        message = f"both validation_fraction ({asked.validation_fraction}) and validation_dataset are given"
        field = "data.validation_dataset"
        problems.append(Problem(field, validation.name, message, "give one of the two"))
    if validation and validation.num_trainable_rows == 0:
        message = f"{validation.name} has no row with an assistant turn to validate on"
        problems.append(Problem("data.validation_dataset", validation.name, message, "choose another data set"))
    return ResolvedData(
        name=dataset.name,
        version=dataset.version,
        path=dataset.path,
        content_sha256=dataset.content_sha256,
        reading=dataset.reading,
        num_rows=dataset.num_rows,
        loss_mask_type=asked.loss_mask_type,
        calculate_per_token_loss=asked.calculate_per_token_loss,
        num_validation_rows=0 if validation else _num_held_out(asked, dataset.num_trainable_rows),
        validation_dataset=validation.name if validation else "",
        validation_path=validation.path if validation else "",
        validation_sha256=validation.content_sha256 if validation else "",
        validation_version=validation.version if validation else 1,
        validation_reading=validation.reading if validation else Reading(),
    )


def _num_held_out(asked: Data, num_trainable: int) -> int:
    fraction = DEFAULT_VALIDATION_FRACTION if asked.validation_fraction is None else asked.validation_fraction
    if fraction == 0 or num_trainable < 2:
        return 0
    return max(1, round(num_trainable * fraction))


def resolve_batching(
    asked: Batching, data: ResolvedData, num_trainable: int, hardware: ResolvedHardware, problems: list[Problem]
) -> ResolvedBatching:
    """Steps of an epoch are `rows // global_batch_size`, as the recipe counts them; the tail opens the next epoch."""
    num_rows = num_trainable - data.num_validation_rows
    size = asked.global_batch_size
    _check_length(asked, problems)
    _check_size(size, num_rows, data.name, hardware.data_parallel_size, problems)
    _check_microbatch(asked, hardware.data_parallel_size, problems)
    num_epoch = 1.0 if asked.num_epoch is None else asked.num_epoch
    return ResolvedBatching(
        use_dynamic_batch_size=asked.use_dynamic_batch_size,
        max_tokens_per_gpu=asked.max_tokens_per_gpu,
        micro_batch_size=asked.micro_batch_size or 1,
        global_batch_size=size,
        train_iters=asked.train_iters or max(1, int(num_rows // size * num_epoch)),
        rollout_shuffle=asked.rollout_shuffle,
        balance_data=asked.balance_data,
    )


def _check_length(asked: Batching, problems: list[Problem]) -> None:
    if asked.num_epoch is not None and asked.train_iters is not None:
        message = f"both num_epoch ({asked.num_epoch}) and train_iters ({asked.train_iters}) are given"
        problems.append(Problem("batching.train_iters", asked.train_iters, message, "give one of the two"))


def _check_size(size: int, num_rows: int, name: str, num_ranks: int, problems: list[Problem]) -> None:
    field = "batching.global_batch_size"
    if size > num_rows:
        message = f"a batch of {size} is more than the {num_rows} training rows of {name}"
        problems.append(Problem(field, size, message, f"use at most {num_rows}"))
    if size < num_ranks:
        message = f"a batch of {size} gives nothing to some of the {num_ranks} data-parallel ranks"
        problems.append(Problem(field, size, message, f"use at least {num_ranks}"))


def _check_microbatch(asked: Batching, num_ranks: int, problems: list[Problem]) -> None:
    """The two ways to make microbatches exclude each other, so the measure of the other one is refused."""
    if asked.use_dynamic_batch_size:
        if asked.micro_batch_size is not None:
            message = f"micro_batch_size {asked.micro_batch_size} means nothing with use_dynamic_batch_size"
            mend = "leave it out, or switch use_dynamic_batch_size off"
            problems.append(Problem("batching.micro_batch_size", asked.micro_batch_size, message, mend))
        return
    if "max_tokens_per_gpu" in asked.model_fields_set:
        message = f"max_tokens_per_gpu {asked.max_tokens_per_gpu} means nothing without use_dynamic_batch_size"
        mend = "leave it out, or switch use_dynamic_batch_size on"
        problems.append(Problem("batching.max_tokens_per_gpu", asked.max_tokens_per_gpu, message, mend))
    of_all_ranks = (asked.micro_batch_size or 1) * num_ranks
    if asked.global_batch_size % of_all_ranks:
        message = (
            f"a batch of {asked.global_batch_size} is no multiple of {of_all_ranks} (micro_batch_size × data parallel)"
        )
        field = "batching.global_batch_size"
        problems.append(Problem(field, asked.global_batch_size, message, f"use a multiple of {of_all_ranks}"))
