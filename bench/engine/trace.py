"""What a recording of the device says: how long it had nothing to do, and how long it did nothing but communicate."""

from __future__ import annotations

import json
from pathlib import Path

Intervals = list[tuple[float, float]]

_ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")


def trace_shares(trace: Path) -> dict[str, float]:
    """`idle_share` and `exposed_communication_share` of the time recorded; {} without a device."""
    events = [event for event in json.loads(trace.read_bytes())["traceEvents"] if event.get("cat") in _ON_DEVICE]
    if not events:
        return {}
    spans = sorted((event["ts"], event["ts"] + event["dur"], "nccl" in event["name"].lower()) for event in events)
    everything = [(start, stop) for start, stop, _ in spans]
    computing = [(start, stop) for start, stop, is_communication in spans if not is_communication]
    whole = max(stop for _, stop in everything) - everything[0][0]
    busy = covered(everything)
    return {
        "idle_share": 1.0 - busy / whole,
        "exposed_communication_share": (busy - covered(computing)) / whole,
    }


def covered(intervals: Intervals) -> float:
    """Length of the union of intervals that are sorted by their start."""
    total, end = 0.0, float("-inf")
    for start, stop in intervals:
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total
