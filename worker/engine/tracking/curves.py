"""The metrics of a run as TensorBoard and Weights & Biases draw them, under the names that their users know.

Both libraries are optional and imported only where they are asked for. They write to files of the run folder in threads
and processes of their own; the training loop hands them numbers and goes on. The events stay the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from tunedeck.errors import SpecInvalid
from tunedeck.metrics import BY_NAME, catalogue_name
from tunedeck.resolved import ResolvedSpec

# Names of slime's and Megatron's own logs, so that dashboards made for those go on working. The rest is group/name.
KNOWN_NAMES: dict[str, str] = {
    "loss": "train/loss",
    "grad_norm": "train/grad_norm",
    "lr": "train/lr-pg_0",
    "validation_loss": "eval/loss",
    "data_time_s": "perf/train_wait_time",
    "step_time_s": "perf/step_time",
    "tflops_per_gpu": "perf/actor_train_tflops",
    "tokens_per_s_per_gpu": "perf/actor_train_tok_per_s",
}


class Curves(Protocol):
    """Takes the metrics of a step or of a validation, by their names in tunedeck/metrics.py."""

    def add(self, step: int, metrics: Mapping[str, float]) -> None: ...

    def close(self) -> None: ...


def known_name(name: str) -> str:
    """What a metric is called in both tools."""
    if name in KNOWN_NAMES:
        return KNOWN_NAMES[name]
    return f"{BY_NAME[catalogue_name(name)].group.replace(' ', '_')}/{name}"


class TensorBoardCurves:
    """Event files in `folder`."""

    def __init__(self, folder: Path) -> None:
        _require("tensorboard", "tracking.use_tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        for name, value in metrics.items():
            self._writer.add_scalar(known_name(name), value, step)

    def close(self) -> None:
        self._writer.close()


class WandbCurves:
    """A run of Weights & Biases in `folder`; offline it sends nothing, and `wandb sync` can send it later."""

    def __init__(self, folder: Path, spec: ResolvedSpec) -> None:
        wandb = _require("wandb", "tracking.use_wandb")
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=spec.tracking.wandb_project,
            group=spec.tracking.wandb_group or None,
            name=spec.name,
            config=spec.model_dump(mode="json"),
            mode=spec.tracking.wandb_mode,
            dir=str(folder),
            # The engine's own log and the metrics of the device are kept by us; its source is not the user's.
            settings=wandb.Settings(console="off", disable_code=True, disable_git=True, x_disable_stats=True),
        )

    def add(self, step: int, metrics: Mapping[str, float]) -> None:
        self._run.log({known_name(name): value for name, value in metrics.items()}, step=step)

    def close(self) -> None:
        self._run.finish()


def _require(module: str, field: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        what = f"{field} needs {module}, which the worker cannot import: {error}"
        mend = f"install tunedeck[tracking] on the worker, or set {field} to false"
        raise SpecInvalid.at(field, True, what, mend) from error
