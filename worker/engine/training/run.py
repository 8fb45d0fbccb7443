"""A whole run: start the process groups, prepare, train, export, leave the process groups."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from worker.engine.attempt import Attempt
from worker.engine.checkpoint.folders import folder_bytes
from worker.engine.platform import activate, init_parallel, shutdown_parallel
from worker.engine.tracking import memory_recorded, open_tracking
from worker.engine.training.data_parallel import gather_params
from worker.engine.training.loop import Outcome, TrainingLoop
from worker.engine.training.setup import Setup, prepare
from worker.engine.weights import export_hf


def train(attempt: Attempt) -> Outcome:
    """Collective over all ranks. Raises an error of tunedeck/errors.py, or whatever the libraries raise."""
    platform = activate(attempt.spec.hardware)
    on_cpu = platform.device.type == "cpu"
    with attempt.whereabouts.told(attempt.folder, platform.memory_of_total, computes_on_cpu=on_cpu), platform.active():
        init_parallel(platform, attempt.spec.parallelism, attempt.spec.seed)
        with memory_recorded(attempt.spec, attempt.folder):
            outcome = _train(prepare(attempt, platform))
        # Only here: NCCL leaves a group when all ranks do. A rank that failed would wait for those that wait for it,
        # and could not say why; the end of its process ends its part in the groups.
        shutdown_parallel()
        return outcome


def _train(setup: Setup) -> Outcome:
    attempt = setup.attempt
    if attempt.log:
        attempt.log.plan(attempt.spec.batching.train_iters, setup.start.step + 1, setup.facts)
    attempt.phase("training")
    with open_tracking(attempt.spec, attempt.folder) as tracking, _settled_heap():
        loop = TrainingLoop(setup, tracking)
        outcome = loop.run()
    if outcome == "succeeded" and attempt.spec.checkpointing.export_hf:
        attempt.phase("exporting")
        _export(setup, loop.go_back_to_best())
    return outcome


@contextmanager
def _settled_heap() -> Iterator[None]:
    """Have the garbage collector leave alone what was there before the first step, some million objects of the imported
    libraries: megatron-core collects in every checkpoint, which takes 0.3 s with them and 1 ms without."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _export(setup: Setup, step: int) -> None:
    attempt = setup.attempt
    target = attempt.folder.export
    gather_params(setup.state.chunks, setup.state.optimizer)
    chunks = [chunk.module for chunk in setup.state.chunks]
    export_hf(chunks, setup.architecture, Path(attempt.spec.model.path), target)
    if attempt.log:
        attempt.log.checkpoint(step, target.name, folder_bytes(target), "huggingface")
