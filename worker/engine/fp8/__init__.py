"""Whether FP8 was computed, and how well its scales fit: what a run tells of it, and how it fails where it was not."""

from worker.engine.fp8.health import fp8_health
from worker.engine.fp8.proof import Fp8Proof

__all__ = ["Fp8Proof", "fp8_health"]
