"""Which failures are tried again by themselves, how soon, and how often.

A reason is retried where another try can go better without anybody changing anything: the host was lost, a rank was
killed or hung, the communication between ranks broke. A spec that cannot run, a loss that is not finite and memory that
does not suffice would end the same way again. Classifying by the text of a log was rejected: the engine and the
supervisor have classified already, and say so by a code of errors.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from tunedeck.errors import CollectiveFailed, Fenced, HostLost, RankHung, RankLost

RETRIED = frozenset(kind.code for kind in (HostLost, Fenced, RankLost, RankHung, CollectiveFailed))
LONGEST_DELAY_S = 300.0


@dataclass(frozen=True)
class RetryPolicy:
    """`max_attempts`: attempts in a row without a new checkpoint, where the spec does not say. Times in seconds."""

    max_attempts: int
    first_delay_s: float
    longest_delay_s: float

    def delay_s(self, num_failures: int) -> float:
        """How long to wait after the failure `num_failures` in a row (0: the attempt had brought the job on)."""
        doublings = min(max(0, num_failures - 1), 30)
        return float(min(self.longest_delay_s, self.first_delay_s * 2**doublings))
