"""An attempt from its message to its end."""

from __future__ import annotations

import signal

from tests.worker.backend_stand_in import BackendStandIn
from tests.worker.orders import FOR_EVER, order
from tests.worker.worker_process import WorkerProcess, wait_until
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings


def test_every_event_and_line_arrives_in_order_before_the_end(worker: WorkerProcess, backend: BackendStandIn) -> None:
    job = order("plain", 300)
    backend.write_control(job)
    backend.send(job)
    backend.read_until(lambda: backend.ends(job))
    assert [event["seq"] for event in backend.events(job)] == list(range(1, 303))
    assert list(backend.log_lines(job).values()) == [f"step {step} of 300" for step in range(1, 301)]
    assert backend.messages.index(backend.ends(job)[0]) > max(
        index for index, message in enumerate(backend.messages) if message.kind in ("events", "log")
    )
    assert backend.ends(job)[0].report.outcome == "succeeded"
    backend.read_until(lambda: backend.hellos()[-1].attempts == ())
