"""The optimizer and the learning rate over the steps of the job."""

from __future__ import annotations

from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedOptimizer
from tunedeck.spec import Optimizer

DEFAULT_WARMUP_FRACTION = 0.1
DEFAULT_WSD_DECAY_FRACTION = 0.1


def resolve_optimizer(asked: Optimizer, train_iters: int, problems: list[Problem]) -> ResolvedOptimizer:
    _check_rates(asked, problems)
    warmup = _warmup(asked, train_iters, problems)
    return ResolvedOptimizer(
        lr=asked.lr,
        min_lr=asked.min_lr,
        lr_decay_style=asked.lr_decay_style,
        lr_wsd_decay_style=asked.lr_wsd_decay_style or "exponential",
        lr_wsd_decay_iters=_wsd_decay(asked, warmup, train_iters, problems),
        lr_warmup_iters=warmup,
        weight_decay=asked.weight_decay,
        adam_beta1=asked.adam_beta1,
        adam_beta2=asked.adam_beta2,
        adam_eps=asked.adam_eps,
        clip_grad=asked.clip_grad,
    )


def _check_rates(asked: Optimizer, problems: list[Problem]) -> None:
    if asked.min_lr > asked.lr:
        message = f"min_lr ({asked.min_lr}) is above lr ({asked.lr})"
        problems.append(Problem("optimizer.min_lr", asked.min_lr, message, f"use at most {asked.lr}"))
    if asked.min_lr and asked.lr_decay_style == "constant":
        message = f"min_lr ({asked.min_lr}) is never reached: lr_decay_style constant keeps lr"
        problems.append(Problem("optimizer.min_lr", asked.min_lr, message, "set it to 0, or choose another style"))


def _warmup(asked: Optimizer, train_iters: int, problems: list[Problem]) -> int:
    field = "optimizer.lr_warmup_iters"
    if asked.lr_warmup_fraction is not None and asked.lr_warmup_iters is not None:
        message = f"both lr_warmup_fraction ({asked.lr_warmup_fraction}) and lr_warmup_iters ({asked.lr_warmup_iters})"
        problems.append(Problem(field, asked.lr_warmup_iters, f"{message} are given", "give one of the two"))
    fraction = DEFAULT_WARMUP_FRACTION if asked.lr_warmup_fraction is None else asked.lr_warmup_fraction
    warmup = int(fraction * train_iters) if asked.lr_warmup_iters is None else asked.lr_warmup_iters
    if warmup and warmup >= train_iters:
        message = f"a warm-up of {warmup} steps leaves nothing of the {train_iters} steps of the job"
        problems.append(Problem(field, warmup, message, f"use at most {train_iters - 1}"))
    return warmup


def _wsd_decay(asked: Optimizer, warmup: int, train_iters: int, problems: list[Problem]) -> int:
    if asked.lr_decay_style != "WSD":
        given = {"lr_wsd_decay_style": asked.lr_wsd_decay_style, "lr_wsd_decay_iters": asked.lr_wsd_decay_iters}
        for field, value in given.items():
            if value is not None:
                message = f"{field} is set, but lr_decay_style is {asked.lr_decay_style}"
                problems.append(Problem(f"optimizer.{field}", value, message, "leave it out, or set it to WSD"))
        return 0
    decay = asked.lr_wsd_decay_iters or max(1, int(DEFAULT_WSD_DECAY_FRACTION * train_iters))
    if warmup + decay > train_iters:
        message = f"{warmup} steps of warm-up and {decay} of decay do not fit into the {train_iters} steps of the job"
        mend = f"use at most {max(1, train_iters - warmup)}"
        problems.append(Problem("optimizer.lr_wsd_decay_iters", decay, message, mend))
    return decay
