"""What is recorded besides the events of the run."""

from __future__ import annotations

from tunedeck.bus import HostFacts
from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedTracking
from tunedeck.spec import Tracking

DEFAULT_WANDB_PROJECT = "tunedeck"


def resolve_tracking(asked: Tracking, train_iters: int, host: HostFacts, problems: list[Problem]) -> ResolvedTracking:
    _check_wandb(asked, problems)
    _check_profile(asked, train_iters, problems)
    if asked.record_memory_history and host.kind == "cpu":
        message = f"record_memory_history records a GPU's allocator, and {host.name} has no GPU"
        problems.append(Problem("tracking.record_memory_history", True, message, "leave it out"))
    return ResolvedTracking(
        use_wandb=asked.use_wandb,
        wandb_mode=asked.wandb_mode or "offline",
        wandb_project=asked.wandb_project or DEFAULT_WANDB_PROJECT,
        wandb_group=asked.wandb_group or "",
        use_tensorboard=asked.use_tensorboard,
        profile_step_start=asked.profile_step_start or 0,
        profile_step_end=asked.profile_step_end or 0,
        record_memory_history=asked.record_memory_history,
    )


def _check_wandb(asked: Tracking, problems: list[Problem]) -> None:
    if asked.use_wandb:
        return
    for field in ("wandb_mode", "wandb_project", "wandb_group"):
        if (value := getattr(asked, field)) is not None:
            message = f"{field} is set, but use_wandb is off"
            problems.append(Problem(f"tracking.{field}", value, message, "switch use_wandb on, or leave it out"))


def _check_profile(asked: Tracking, train_iters: int, problems: list[Problem]) -> None:
    start, end = asked.profile_step_start, asked.profile_step_end
    if start is None and end is None:
        return
    if start is None or end is None:
        missing, given = ("profile_step_start", end) if start is None else ("profile_step_end", start)
        message = f"a profile needs its first step and its end; {missing} is missing"
        problems.append(Problem(f"tracking.{missing}", given, message, f"give {missing}, or neither"))
        return
    if end <= start:
        message = f"profile_step_end {end} is not after profile_step_start {start}: nothing would be recorded"
        problems.append(Problem("tracking.profile_step_end", end, message, f"use at least {start + 1}"))
    if start > train_iters:
        message = f"profile_step_start {start} is behind the last of the {train_iters} steps of the job"
        problems.append(Problem("tracking.profile_step_start", start, message, f"use at most {train_iters}"))
