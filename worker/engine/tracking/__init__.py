"""What a run leaves behind for other people's tools: curves, a profile, memory snapshots, all below `artifacts/`."""

from worker.engine.tracking.memory_history import memory_recorded
from worker.engine.tracking.tracking import Tracking, open_tracking

__all__ = ["Tracking", "memory_recorded", "open_tracking"]
