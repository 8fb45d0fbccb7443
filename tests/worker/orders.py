"""Orders for the fake engine, which reads only the name and the number of steps of a spec."""

from __future__ import annotations

from tests.support.resolved import resolved
from tunedeck.bus import RunAttempt

HOST = "test-host"
FOR_EVER = 1_000_000


def order(behaviour: str, num_steps: int, job_id: str = "job1", attempt: int = 1, num_devices: int = 1) -> RunAttempt:
    hardware = {"num_devices": num_devices, "data_parallel_size": num_devices}
    spec = resolved(name=behaviour, batching={"train_iters": num_steps}, hardware=hardware)
    return RunAttempt(job_id=job_id, attempt=attempt, spec=spec, resume_from="")
