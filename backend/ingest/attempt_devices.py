"""Writes down on what kind of device an attempt runs: its host may have others, or be gone, when the cost is asked."""

from __future__ import annotations

from backend.db.tables.hosts import HostRow
from backend.db.tables.jobs import AttemptRow, JobRow
from tunedeck.bus import HostFacts


def note_devices(job: JobRow, attempt: AttemptRow, host: HostRow | None) -> None:
    """The ranks of a job on a CPU host share its memory; a rank on a GPU has all of its."""
    facts = HostFacts.model_validate(host.facts) if host else None
    if facts is None or not facts.devices:
        return
    attempt.device_name = facts.devices[0].name[:80]
    is_cpu = facts.kind == "cpu"
    attempt.memory_bytes = facts.memory_bytes // job.num_devices if is_cpu else facts.devices[0].memory_bytes
