"""The checkpoints of one run: begun, followed while training goes on, published when complete, removed when old.

A checkpoint is written to a hidden folder and renamed when all ranks have written, so a folder with its final name is
complete, and only then is an older one removed: whatever happens at whatever time, the newest complete one is whole.
There is never more than one under way. Skipping a checkpoint that comes due meanwhile was rejected: how much a crash
costs would then depend on how fast the disk happens to be.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from worker.engine.attempt import Attempt
from worker.engine.publish_folder import publish_folder
from worker.engine.training import checkpoint
from worker.engine.training.checkpoint import Position, TrainState
from worker.engine.training.checkpoint_writer import CheckpointWriter, Write


@dataclass(frozen=True)
class _UnderWay:
    step: int
    write: Write


class Checkpoints:
    """Every method but `is_writing` is collective. What goes wrong beside the training is raised by the next call."""

    def __init__(self, attempt: Attempt, state: TrainState, saved_step: int) -> None:
        """`saved_step`: the step of the state that is resumed, which needs no new checkpoint; 0 for a fresh start."""
        self._attempt = attempt
        self._settings = attempt.spec.checkpointing
        self._state = state
        self._newest_step = saved_step
        self._writer = CheckpointWriter()
        self._under_way: _UnderWay | None = None
        self._publisher = ThreadPoolExecutor(max_workers=1, thread_name_prefix="publish")
        self._published: Future[None] | None = None
        self._held_up_s = 0.0
        self._best_step = 0
        self._kept_step = 0

    def keep(self, step: int) -> None:
        """Keep the checkpoint of this step beside the last ones, once it is complete, and let go of the one before."""
        self._best_step = step
        if step == self._newest_step and self._under_way is None:
            self._kept_step = step

    def save(self, position: Position) -> None:
        """Begin a checkpoint, once the one before is complete; nothing for a state that has been saved."""
        if position.step == self._newest_step:
            return
        self.wait()
        with self._holding_up():
            write = self._begin(position)
            if self._settings.async_save:
                write.beside()
            else:
                write.here()
        if not self._settings.async_save:
            self.wait()

    def is_writing(self) -> bool:
        """Whether this rank is still busy with a checkpoint; what it looks at takes microseconds."""
        publishing = self._published is not None and not self._published.done()
        return publishing or (self._under_way is not None and self._under_way.write.is_writing())

    def advance(self, any_rank_is_writing: bool) -> None:
        """Complete the checkpoint that is under way, if no rank is writing any more."""
        if self._published is not None and self._published.done():
            self._published.result()
        if self._under_way is not None and not any_rank_is_writing:
            with self._holding_up():
                self._complete(self._under_way)

    def wait(self) -> None:
        """Returns when the checkpoint under way is complete, published and told."""
        with self._holding_up():
            if self._under_way is not None:
                self._under_way.write.wait()
                self._complete(self._under_way)
            if self._published is not None:
                self._published.result()

    def take_held_up_s(self) -> float:
        """For how many seconds the training has been held up by checkpoints since the last call."""
        held_up_s, self._held_up_s = self._held_up_s, 0.0
        return held_up_s

    @contextmanager
    def _holding_up(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._held_up_s += time.perf_counter() - start

    def _begin(self, position: Position) -> Write:
        partial = self._partial(position.step)
        # Every rank makes it, so that none has to wait for another; an attempt starts with an empty run folder.
        partial.mkdir(parents=True, exist_ok=True)
        write = self._writer.begin(checkpoint.content(self._state, position), checkpoint.METADATA, partial)
        self._under_way = _UnderWay(position.step, write)
        self._newest_step = position.step
        return write

    def _complete(self, under_way: _UnderWay) -> None:
        under_way.write.complete()
        self._under_way = None
        if self._attempt.log:
            # Flushing and removing take as long as the disk pleases.
            self._published = self._publisher.submit(self._publish, under_way.step)

    def _publish(self, step: int) -> None:
        folder, log = self._attempt.folder, self._attempt.log
        assert log is not None
        target = folder.checkpoint(step)
        publish_folder(self._partial(step), target)
        log.checkpoint(
            step, str(target.relative_to(folder.root)), checkpoint.folder_bytes(target), "dist_checkpointing"
        )
        if step == self._best_step:
            self._kept_step = step
        for old in checkpoint.remove_old(folder.checkpoints, self._settings.keep_last, self._kept_step):
            log.checkpoint_removed(checkpoint.step_of(old), str(old.relative_to(folder.root)))

    def _partial(self, step: int) -> Path:
        target = self._attempt.folder.checkpoint(step)
        return target.with_name(f".{target.name}.partial")
