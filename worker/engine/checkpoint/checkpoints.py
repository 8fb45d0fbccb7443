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
from typing import Any

from worker.engine.attempt import Attempt
from worker.engine.checkpoint.content import common_state, describe
from worker.engine.checkpoint.folders import folder_bytes, remove_old, step_of
from worker.engine.checkpoint.plan import Plan, make_plan
from worker.engine.checkpoint.publish import publish
from worker.engine.checkpoint.rank_file import Place
from worker.engine.checkpoint.state import Position, TrainState
from worker.engine.checkpoint.write import WriterBeside, exchange, write_here
from worker.engine.platform import Platform


@dataclass(frozen=True)
class _UnderWay:
    step: int
    plan: Plan
    common: dict[str, Any]
    written: Future[list[Place]]


class Checkpoints:
    """Every method but `is_writing` is collective. What goes wrong beside the training is raised by the next call."""

    def __init__(self, attempt: Attempt, state: TrainState, platform: Platform, saved_step: int) -> None:
        """`saved_step`: the step of the state that is resumed, which needs no new checkpoint; 0 for a fresh start."""
        self._attempt = attempt
        self._settings = attempt.spec.checkpointing
        self._state = state
        self._platform = platform
        self._newest_step = saved_step
        self._plan: Plan | None = None
        self._beside: WriterBeside | None = None
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

    def prepare(self) -> None:
        """Make ready what the first checkpoint beside the training needs, when the optimizer has its state."""
        if not self._settings.async_save or self._beside is not None:
            return
        with self._holding_up():
            plan = self._current_plan()
            if plan.description.can_be_kept:
                self._beside = WriterBeside(plan, self._platform)

    def save(self, position: Position, *, is_last: bool = False) -> None:
        """Begin a checkpoint, once the one before is complete; nothing for a state that has been saved.

        It is complete on return where `async_save` is off or nothing is to be trained beside it (`is_last`).
        """
        if position.step == self._newest_step:
            return
        self.wait()
        is_beside = self._settings.async_save and not is_last
        with self._holding_up():
            self._begin(position, is_beside)
        if not is_beside:
            self.wait()

    def before_update(self) -> None:
        """To be called before the optimizer changes the state: what is to be saved is then being saved elsewhere."""
        if self._beside is not None:
            with self._holding_up():
                self._beside.before_update()

    def is_writing(self) -> bool:
        """Whether this rank is still busy with a checkpoint; what it looks at takes microseconds."""
        publishing = self._published is not None and not self._published.done()
        return publishing or (self._under_way is not None and not self._under_way.written.done())

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
                self._complete(self._under_way)
            if self._published is not None:
                self._published.result()

    def take_held_up_s(self) -> float:
        """For how many seconds the training has been held up by checkpoints since the last call."""
        held_up_s, self._held_up_s = self._held_up_s, 0.0
        return held_up_s + (self._beside.take_stall_s() if self._beside is not None else 0.0)

    def close(self) -> None:
        """End what is beside the training, also in the middle of a checkpoint, which is then never complete."""
        if self._beside is not None:
            self._beside.close()
        self._publisher.shutdown()

    @contextmanager
    def _holding_up(self) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self._held_up_s += time.perf_counter() - start

    def _begin(self, position: Position, is_beside: bool) -> None:
        partial = self._partial(position.step)
        # Every rank makes it, so that none has to wait for another; an attempt starts with an empty run folder.
        partial.mkdir(parents=True, exist_ok=True)
        plan = self._current_plan()
        common = common_state(self._state, position, plan.description)
        if is_beside:
            if self._beside is None:
                self._beside = WriterBeside(plan, self._platform)
            written = self._beside.write(plan, partial)
        else:
            written = write_here(plan, partial)
        self._under_way = _UnderWay(position.step, plan, common, written)
        self._newest_step = position.step

    def _current_plan(self) -> Plan:
        if self._plan is None or not self._plan.description.can_be_kept:
            self._plan = make_plan(describe(self._state))
        return self._plan

    def _complete(self, under_way: _UnderWay) -> None:
        partial = self._partial(under_way.step)
        places = exchange(under_way.written, partial)
        self._under_way = None
        if self._attempt.log:
            # Flushing and removing take as long as the disk pleases.
            self._published = self._publisher.submit(self._publish, under_way, places)

    def _publish(self, under_way: _UnderWay, places: list[list[Place]]) -> None:
        folder, log, step = self._attempt.folder, self._attempt.log, under_way.step
        assert log is not None
        target = folder.checkpoint(step)
        publish(self._partial(step), target, under_way.plan, under_way.common, places)
        log.checkpoint(step, str(target.relative_to(folder.root)), folder_bytes(target), "dist_checkpointing")
        if step == self._best_step:
            self._kept_step = step
        for old in remove_old(folder.checkpoints, self._settings.keep_last, self._kept_step):
            log.checkpoint_removed(step_of(old), str(old.relative_to(folder.root)))

    def _partial(self, step: int) -> Path:
        target = self._attempt.folder.checkpoint(step)
        return target.with_name(f".{target.name}.partial")
