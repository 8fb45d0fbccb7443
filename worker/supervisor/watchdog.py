"""Notices ranks that hang: one that gives no sign of life, or all of them standing still in the same step.

It sits outside the ranks: a stopped process cannot report itself, and who waits for a lost message looks busy to the
others. Time is counted in looks, not read from a clock: a machine that was asleep, or too busy to let this process
look, has not thereby seen its ranks hang. The time-outs of gloo and NCCL stay as the last resort; they are longer, and
say neither which rank it was nor what the others were doing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from tunedeck.beat import BEAT_S, Beat, read_beat
from tunedeck.errors import RankHung
from tunedeck.fault import Fault
from tunedeck.run_folder import RunFolder
from worker.launchers.launcher import Launcher

_MEND = (
    "engine.log ends with what each rank was doing; if the machine was only slow, raise "
    "parallelism.distributed_timeout_minutes"
)


@dataclass
class _Seen:
    beat: Beat
    silent_s: float = 0.0  # since the last new beat
    still_s: float = 0.0  # since its work last got on, while it took part in a step


class Watchdog:
    def __init__(self, folder: RunFolder, launcher: Launcher, num_ranks: int, timeout_s: float) -> None:
        self._folder = folder
        self._launcher = launcher
        self._num_ranks = num_ranks
        self._timeout_s = timeout_s
        self._seen: dict[int, _Seen] = {}
        self._next_look = time.monotonic()

    def look(self) -> Fault | None:
        """Call as often as you like; looks once a beat. Returns why the run must end, None while it need not."""
        if time.monotonic() < self._next_look:
            return None
        self._next_look = time.monotonic() + BEAT_S
        for rank in range(self._num_ranks):
            self._look_at(rank)
        return self._silent_rank() or self._standstill()

    def have_stacks_written(self, command_pid: int) -> None:
        """Have every rank that can write the stacks of its threads to engine.log."""
        self._launcher.have_stacks_written(command_pid, [seen.beat.pid for seen in self._seen.values()])

    def _look_at(self, rank: int) -> None:
        beat = read_beat(self._folder.beat(rank))
        if beat is None or not self._launcher.is_there(beat.pid):
            # A rank that died is the launcher's business, which ends the others and says who it was.
            self._seen.pop(rank, None)
            return
        seen = self._seen.setdefault(rank, _Seen(beat))
        before, seen.beat = seen.beat, beat
        seen.silent_s = seen.silent_s + BEAT_S if beat.number == before.number else 0.0
        stands = beat.is_timed and beat.num_advances == before.num_advances
        seen.still_s = seen.still_s + BEAT_S if stands else 0.0

    def _silent_rank(self) -> Fault | None:
        for rank, seen in sorted(self._seen.items()):
            if seen.silent_s >= self._timeout_s:
                said = f"rank {rank} has given no sign of life for {seen.silent_s:.0f} s"
                return self._hung(said, seen)
        return None

    def _standstill(self) -> Fault | None:
        if not self._seen or any(seen.still_s < self._timeout_s for seen in self._seen.values()):
            return None
        doing = "; ".join(f"rank {rank}: {seen.beat.scene.doing}" for rank, seen in sorted(self._seen.items()))
        first = self._seen[min(self._seen)]
        said = f"no rank has got on in step {first.beat.scene.step} for {first.still_s:.0f} s ({doing})"
        return self._hung(said, first)

    def _hung(self, said: str, seen: _Seen) -> Fault:
        """The others may have got into the next step since the rank's last beat."""
        step = max(seen.beat.scene.step or 0 for seen in self._seen.values())
        scene = seen.beat.scene.model_copy(update={"step": step})
        return Fault(code=RankHung.code, message=said, mend=_MEND, scene=scene)
