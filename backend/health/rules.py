"""When something is wrong with a run: every rule and threshold, in the order of gravity.

loss_not_finite   begins with a loss or gradient norm of a step, or a validation loss, that is not a number;
                  ends after 5 steps in a row that are numbers
silent            begins when no event came for the longest of 2 min (10 min while it saves or exports), 3 times the
                  longest silence of the attempt, and 20 steps; ends with the next event
loss_spike        begins when the loss is above its level by more than 8 deviations, a quarter of the level and 0.3, in
                  two steps running, or by more than twice that in one; ends after 5 steps in a row above by less than
                  half of that
memory_near_edge  begins when the peak of a rank is above 95% of what it may use; ends after 5 steps in a row below
gpu_idle          begins when the GPUs are busy for less than 20% of the time, as a mean of about 10 steps, for 20 steps
                  running; ends after 10 steps in a row above 40%
throughput_fell   begins when tokens/s, as a mean of about 10 steps, are 30% and two deviations below their level, for
                  20 steps running; ends after 10 steps in a row less than 20% below it

A level is a mean of about 50 losses or 100 throughputs, and a deviation the mean distance from it; before 30 steps
nothing is judged by either. While it is left, a level follows at an eighth of its pace: a spike must not become what is
usual, and a change that stays (longer samples, another mix of data) must not be wrong for ever. A new attempt begins
anew.

Sums and means only, so that each event costs the same few microseconds. Medians over a window were rejected: they hold
the window in the database, and cost ten times as much.
"""

from __future__ import annotations

from typing import get_args

from tunedeck.views.conditions import ConditionCode

CODES: tuple[ConditionCode, ...] = get_args(ConditionCode)

WARM_UP_STEPS = 30
LEFT_LEVEL_PACE = 1 / 8

LOSS_WEIGHT = 1 / 50
SPIKE_DEVIATIONS = 8.0
SPIKE_SHARE = 0.25
SPIKE_NATS = 0.3
SPIKE_STEPS = 2
SPIKE_AT_ONCE = 2.0
SPIKE_OVER = 0.5
LOSS_RECOVERY_STEPS = 5

THROUGHPUT_WEIGHT = 1 / 100
RECENT_WEIGHT = 1 / 10
FELL_SHARE = 0.30
FELL_DEVIATIONS = 2.0
FELL_STEPS = 20
FELL_OVER_SHARE = 0.20
IDLE_SHARE = 0.20
IDLE_STEPS = 20
IDLE_OVER_SHARE = 0.40
DEVICE_RECOVERY_STEPS = 10

EDGE_SHARE = 0.95
EDGE_RECOVERY_STEPS = 5

SILENCE_S = 120.0
SILENCE_GAPS = 3.0
SILENCE_STEPS = 20.0
SILENCE_OF_SAVING_S = 600.0


def patience_s(phase: str, longest_gap_s: float, step_time_s: float) -> float:
    """For how long a run may say nothing, in seconds."""
    least_s = SILENCE_OF_SAVING_S if phase in ("saving", "exporting") else SILENCE_S
    return max(least_s, SILENCE_GAPS * longest_gap_s, SILENCE_STEPS * step_time_s)
