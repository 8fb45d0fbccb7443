"""One measured row, and how it is made of step times."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from tunedeck.architecture import Architecture
from tunedeck.flops import Work, training_flops
from tunedeck.peak_rates import peak_bf16_flops


@dataclass(frozen=True)
class Step:
    """One optimizer step of all devices together. `num_padding` are tokens computed in vain."""

    time_s: float
    work: Work
    num_padding: int


@dataclass(frozen=True)
class Machine:
    """`peak_flops` is the data sheet's dense BF16 rate, `matrix_flops` what products reach here; 0: not known."""

    name: str
    num_devices: int
    matrix_flops: float

    @property
    def peak_flops(self) -> float:
        return peak_bf16_flops(self.name) or 0.0


@dataclass(frozen=True)
class Row:
    """What is printed. `mfu` is of the data sheet's peak, `of_matrix_rate` of what was measured; None: not known."""

    machine: str
    what: str
    model: str
    layout: str
    precision: str
    levers: str
    tok_per_s_per_gpu: float
    tflops_per_gpu: float
    mfu: float | None
    of_matrix_rate: float | None
    peak_gib: float
    padding_share: float
    median_step_s: float
    num_steps: int
    idle_share: float | None
    exposed_communication_share: float | None
    waiting_share: float | None
    peer: str
    ratio: float | None

    def line(self) -> str:
        return json.dumps({key: _rounded(value) for key, value in vars(self).items()})


def _rounded(value: object) -> object:
    return float(f"{value:.5g}") if isinstance(value, float) else value


@dataclass(frozen=True)
class Measured:
    """What a row's own code found out: steps without the warm-up, and the largest memory of a rank."""

    steps: Sequence[Step]
    peak_bytes: float
    layout: str
    idle_share: float | None = None
    exposed_communication_share: float | None = None
    waiting_share: float | None = None


def row_of(
    measured: Measured,
    machine: Machine,
    architecture: Architecture,
    *,
    what: str,
    model: str,
    precision: str,
    levers: str = "",
    peer: Row | None = None,
) -> Row:
    """Rates are tokens of all steps over time of all steps; a median would hide that documents differ in length."""
    steps = measured.steps
    total_s = sum(step.time_s for step in steps)
    tokens = sum(step.work.num_tokens for step in steps)
    rate = tokens / total_s / machine.num_devices
    flops = sum(training_flops(architecture, step.work) for step in steps) / total_s / machine.num_devices
    padding = sum(step.num_padding for step in steps)
    return Row(
        machine=machine.name,
        what=what,
        model=model,
        layout=measured.layout,
        precision=precision,
        levers=levers,
        tok_per_s_per_gpu=rate,
        tflops_per_gpu=flops / 1e12,
        mfu=flops / machine.peak_flops if machine.peak_flops else None,
        of_matrix_rate=flops / machine.matrix_flops if machine.matrix_flops else None,
        peak_gib=measured.peak_bytes / 2**30,
        padding_share=padding / (padding + tokens),
        median_step_s=statistics.median(step.time_s for step in steps),
        num_steps=len(steps),
        idle_share=measured.idle_share,
        exposed_communication_share=measured.exposed_communication_share,
        waiting_share=measured.waiting_share,
        peer=f"{peer.what} {peer.precision} {peer.levers}".strip() if peer else "",
        ratio=rate / peer.tok_per_s_per_gpu if peer else None,
    )
