"""Jobs, models and data sets as tables and lines. In a pipe nothing is cut off and nothing is coloured."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tunedeck.lifecycle import JobState
from tunedeck.views.datasets import CachedTokensView, DatasetView
from tunedeck.views.jobs import JobDetail, JobView
from tunedeck.views.models import ModelView
from tunedeck.views.run_files import ArtifactView

STYLE_OF_STATE = {
    JobState.RUNNING: "blue",
    JobState.SUCCEEDED: "green",
    JobState.FAILED: "red",
    JobState.STOPPING: "yellow",
    JobState.PAUSING: "yellow",
    JobState.PAUSED: "yellow",
    JobState.HELD: "yellow",
}
PIPE_WIDTH = 500


def console() -> Console:
    return Console(width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False)


def print_jobs(jobs: Sequence[JobView]) -> None:
    if not jobs:
        console().print("no jobs")
        return
    table = columns("id", "name", "state", "progress", "loss", "eta", "model", "dataset", "tags")
    for job in jobs:
        table.add_row(*_row(job))
    console().print(table)
    for job in jobs:
        if job.conditions:
            console().print(f"{job.id}  {job.conditions[0].sentence}", markup=False, style="yellow")


def _row(job: JobView) -> tuple[str, ...]:
    state = f"[{STYLE_OF_STATE.get(job.state, 'default')}]{job.state}[/]"
    loss, left = number(job.latest.get("loss")), duration(job.eta_s)
    return job.id, job.name, state, progress(job), loss, left, job.model, job.dataset, " ".join(job.tags)


def print_job(job: JobDetail) -> None:
    out = console()
    out.print(f"{job.name}  ({job.id})  [{STYLE_OF_STATE.get(job.state, 'default')}]{job.state}[/]")
    for name, value in _facts(job):
        out.print(f"  {name:<18} {value}", markup=False)
    for condition in job.conditions:
        out.print(f"\n{condition.sentence}", markup=False, style="yellow")
    if job.fault is not None:
        where = [f"{name} {value}" for name, value in job.fault.scene if name in ("step", "rank") and value is not None]
        out.print(f"\n{job.fault.message}\n{job.fault.mend}", markup=False, style="red")
        out.print(", ".join([job.fault.code, *where]), markup=False)
        out.print("\n".join(f"    {line}" for line in job.fault.log_tail), markup=False)
    out.print("\nhow it came here")
    for step in job.transitions:
        out.print(f"  {clock(step.at)}  {step.to_state:<10} {step.who}: {step.why}", markup=False)


def _facts(job: JobDetail) -> list[tuple[str, str]]:
    measured = [(name, number(value)) for name, value in sorted(job.latest.items())]
    return [
        ("model", job.model),
        ("dataset", job.dataset),
        ("progress", progress(job)),
        ("phase", job.phase or "–"),
        ("attempt, host", f"{job.attempt}, {job.host or '–'}"),
        ("owner, priority", f"{job.owner}, {job.priority}"),
        *([("tags", " ".join(job.tags))] if job.tags else []),
        *([("archived", clock(job.archived_at))] if job.archived_at else []),
        *([("next try", clock(job.next_try_at))] if job.next_try_at else []),
        ("time left", duration(job.eta_s)),
        (
            "validation loss",
            f"{number(job.first_validation_loss)} first, {number(job.best_validation_loss)} best",
        ),
        ("tokens", _tokens(job)),
        ("memory of a rank", _memory(job)),
        ("held", _held(job)),
        ("last checkpoint", _last_checkpoint(job)),
        *measured,
    ]


def _tokens(job: JobView) -> str:
    if job.num_tokens is None:
        return "–"
    expected = f" of about {job.total_tokens:,}" if job.total_tokens else ""
    return f"{job.num_tokens:,}{expected}, {job.num_trained_tokens:,} carry loss"


def _memory(job: JobView) -> str:
    peak, capacity = job.latest.get("peak_memory_bytes"), job.memory_capacity_bytes
    if peak is None or not capacity:
        return "–"
    return f"at most {peak / 2**30:.1f} of {capacity / 2**30:.1f} GiB"


def _held(job: JobView) -> str:
    used = job.usage
    held = "< 0.01" if 0 < used.device_hours < 0.01 else f"{used.device_hours:.2f}"
    hours = f"{held} {'GPU' if used.device == 'cuda' else 'core'}-hours"
    return hours if used.cost is None else f"{hours}, {used.cost:.2f} {used.currency}"


def _last_checkpoint(job: JobView) -> str:
    if job.checkpoint_step is None or job.checkpoint_at is None:
        return "–"
    return f"step {job.checkpoint_step:,}, {clock(job.checkpoint_at)}"


def print_artifacts(artifacts: Sequence[ArtifactView]) -> None:
    table = columns("attempt", "kind", "bytes", "path")
    for artifact in artifacts:
        table.add_row(str(artifact.attempt), artifact.kind, f"{artifact.size_bytes:,}", artifact.path)
    console().print(table if artifacts else "no artifacts")


def print_models(models: Sequence[ModelView]) -> None:
    table = columns("name", "architecture", "parameters", "path")
    for model in models:
        table.add_row(model.name, model.architecture, f"{model.num_parameters:,}", model.path)
    console().print(table if models else "no models")


def print_datasets(datasets: Sequence[DatasetView]) -> None:
    table = columns("name", "version", "shape", "rows", "trainable", "from", "path")
    for dataset in datasets:
        rows, trainable = f"{dataset.num_rows:,}", f"{dataset.num_trainable_rows:,}"
        table.add_row(dataset.name, str(dataset.version), dataset.shape, rows, trainable, dataset.origin, dataset.path)
    console().print(table if datasets else "no data sets")


def print_cached_tokens(kept: Sequence[CachedTokensView]) -> None:
    table = columns("key", "data", "model", "mask", "samples", "tokens", "bytes", "last used")
    for each in kept:
        counts = [f"{number:,}" for number in (each.num_samples, each.num_tokens, each.size_bytes)]
        table.add_row(each.key, each.data_file, each.model, each.loss_mask_type, *counts, clock(each.last_used_at))
    console().print(table if kept else "nothing is kept")


def progress(job: JobView) -> str:
    return f"{job.step}/{job.train_iters}" if job.train_iters else "–"


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def clock(unix_s: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(unix_s))


def columns(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in names:
        table.add_column(column, no_wrap=True, overflow="ellipsis")
    return table
