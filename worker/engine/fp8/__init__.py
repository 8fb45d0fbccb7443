"""Whether FP8 was computed, and how well its scales fit: what a run tells of it, and how it fails where it was not."""

from worker.engine.fp8.block_scales import use_fp32_block_scales
from worker.engine.fp8.health import FP8_METRICS, fp8_health
from worker.engine.fp8.proof import Fp8Proof

__all__ = ["FP8_METRICS", "Fp8Proof", "fp8_health", "use_fp32_block_scales"]
