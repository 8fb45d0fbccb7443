"""`python -m bench.engine --model SHAPE --data FILE --tokenizer FOLDER [--rows …]`, alone or under torchrun.

Rows are `ours:PRECISION[+LEVER…]`, `bare:PRECISION[+LEVER…]`, `hf`, `hf-compiled` and `reporting`, measured in the
order given. A ratio is told against the row that `--peer` names, by default the first of the same call. `--rows levers`
stands for every lever of bench/engine/levers.py in turn.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from bench.engine.bare_megatron import measure_bare
from bench.engine.hugging_face import measure_hugging_face
from bench.engine.jobs import PRECISIONS, Workload
from bench.engine.levers import LEVERS
from bench.engine.matrix_rate import matrix_flops
from bench.engine.ours import measure_ours, measure_reporting
from bench.engine.row import Machine, Measured, Row, row_of
from bench.engine.shapes import SHAPES, write_shape
from tunedeck.architecture import read_architecture
from tunedeck.run_folder import STORE_VARIABLE


def main() -> int:
    arguments = _arguments()
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    root = Path(arguments.folder) if arguments.folder else Path(TemporaryDirectory(prefix="bench-").name)
    root.mkdir(parents=True, exist_ok=True)
    model = write_shape(arguments.model, Path(arguments.tokenizer), root / f"model-{rank}")
    work = _workload(arguments, model, world_size)
    machine = Machine(_machine_name(), world_size, matrix_flops() if not arguments.no_matrix_rate else 0.0)
    if rank == 0:
        print(json.dumps({"machine": machine.name, "matrix_tflops": machine.matrix_flops / 1e12}), flush=True)
    try:
        failed = _measure_all(arguments, work, machine, root, rank)
    finally:
        if not arguments.folder:
            shutil.rmtree(root, ignore_errors=True)
    return 1 if failed else 0


def _measure_all(arguments: argparse.Namespace, work: Workload, machine: Machine, root: Path, rank: int) -> int:
    """Returns how many rows failed: a row that does not fit must not lose the others."""
    done: dict[str, Row] = {}
    failed = 0
    for number, name in enumerate(_rows(arguments.rows, work)):
        os.environ[STORE_VARIABLE] = str(root / f"store-{number}")
        try:
            row = _measure(name, work, machine, root / f"run-{number}", done.get(arguments.peer or _first(done)))
        except Exception as error:
            failed += 1
            traceback.print_exc()
            print(json.dumps({"what": name, "error": f"{type(error).__name__}: {error}"}), flush=True)
            row = None
        _give_memory_back()
        if row is not None:
            done[name] = row
            if rank == 0:
                print(row.line(), flush=True)
    return failed


def _give_memory_back() -> None:
    """Of the last row's model, which refers to itself, so that the next row finds the card empty and its own peak."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def _measure(name: str, work: Workload, machine: Machine, folder: Path, peer: Row | None) -> Row | None:
    kind, _, rest = name.partition(":")
    if kind == "reporting":
        print(json.dumps(measure_reporting(work, folder)), flush=True)
        return None
    precision, *levers = rest.split("+") if rest else ["bf16" if torch.cuda.is_available() else "fp32"]
    measure: dict[str, Callable[[], Measured]] = {
        "ours": lambda: measure_ours(work, precision, levers, folder),
        "bare": lambda: measure_bare(work, precision, levers, folder),
        "hf": lambda: measure_hugging_face(work, folder, is_compiled=False),
        "hf-compiled": lambda: measure_hugging_face(work, folder, is_compiled=True),
    }
    return row_of(
        measure[kind](),
        machine,
        read_architecture(work.model),
        what=kind,
        model=work.shape,
        precision=precision,
        levers="+".join(levers),
        peer=peer,
    )


def _rows(asked: list[str], work: Workload) -> list[str]:
    precision = "bf16" if torch.cuda.is_available() else "fp32"
    every = [f"ours:{precision}+{lever}" for lever in LEVERS]
    return [row for name in asked for row in (every if name == "levers" else [name])]


def _first(done: dict[str, Row]) -> str:
    return next(iter(done), "")


def _workload(arguments: argparse.Namespace, model: Path, world_size: int) -> Workload:
    return Workload(
        shape=arguments.model,
        model=model,
        data=Path(arguments.data).resolve(),
        num_devices=world_size,
        tensor_model_parallel_size=arguments.tensor_model_parallel_size,
        max_tokens_per_gpu=arguments.max_tokens_per_gpu,
        global_batch_size=arguments.global_batch_size,
        num_steps=arguments.steps,
        num_warm_up=arguments.warm_up,
        threads=arguments.threads,
        settings=dict(arguments.set),
    )


def _machine_name() -> str:
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else f"CPU, {os.cpu_count()} cores"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=(__doc__ or "").split("\n\n")[1])
    parser.add_argument("--model", choices=[*SHAPES, "demo"], required=True)
    parser.add_argument("--data", required=True, help="conversations, as a job would take them")
    parser.add_argument("--tokenizer", default=".", help="folder of tokenizer.json; not used by demo")
    parser.add_argument("--rows", nargs="+", default=["ours:bf16", "bare:bf16", "hf"], help="see above")
    parser.add_argument("--peer", default="", help="the row of this call that ratios are told against")
    parser.add_argument("--steps", type=int, default=8, help="that count, of each row")
    parser.add_argument("--warm-up", type=int, default=3, help="steps before them")
    parser.add_argument("--global-batch-size", type=int, default=128, help="conversations of a step")
    parser.add_argument("--max-tokens-per-gpu", type=int, default=16_384, help="of a microbatch")
    parser.add_argument("--tensor-model-parallel-size", type=int, default=1)
    parser.add_argument("--set", action="append", type=_setting, default=[], metavar="SECTION.FIELD=VALUE")
    parser.add_argument("--threads", type=int, default=1, help="of a Hugging Face row on a CPU")
    parser.add_argument("--folder", default="", help="where runs are written; kept. Required under torchrun")
    parser.add_argument("--no-matrix-rate", action="store_true", help="saves three seconds")
    arguments = parser.parse_args()
    for row in arguments.rows:
        _check_row(parser, row)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not arguments.folder:
        parser.error("several ranks meet in one folder: give --folder")
    return arguments


def _setting(text: str) -> tuple[str, Any]:
    """`parallelism.expert_model_parallel_size=8`; the value is JSON."""
    path, _, value = text.partition("=")
    return path, json.loads(value)


def _check_row(parser: argparse.ArgumentParser, row: str) -> None:
    kind, _, rest = row.partition(":")
    precision, *levers = rest.split("+") if rest else [""]
    if kind not in ("ours", "bare", "hf", "hf-compiled", "reporting", "levers"):
        parser.error(f"there is no row {kind!r}")
    if rest and kind not in ("ours", "bare"):
        parser.error(f"{kind} takes no precision and no levers, {row!r} gives some")
    if precision and precision not in PRECISIONS:
        parser.error(f"there is no precision {precision!r}: use one of {', '.join(PRECISIONS)}")
    for lever in levers:
        if lever not in LEVERS:
            parser.error(f"there is no lever {lever!r}: use one of {', '.join(LEVERS)}")


if __name__ == "__main__":
    sys.exit(main())
