"""What a run leaves behind for other people's tools: curves, a profile, memory snapshots, all below `artifacts/`."""

from worker.engine.tracking.tracking import Tracking, open_tracking

__all__ = ["Tracking", "open_tracking"]
