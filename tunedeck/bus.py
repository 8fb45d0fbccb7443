"""The names and messages on the bus (Redis protocol) between backend and workers: both rooms import only this.

Worker to backend: one stream, `EVENTS_STREAM`; each entry has one field, `m`, a BusMessage as JSON.
Backend to worker: a Celery message per attempt (a wake-up: it may be lost or doubled) and one control record per job,
which the backend writes again at every scheduler tick, so that a bus that lost all its data mends itself.
Redis pub/sub was rejected: it forgets what nobody heard.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from tunedeck.fault import FaultScene
from tunedeck.resolved import ResolvedSpec
from tunedeck.spec import Component, LauncherName

EVENTS_STREAM = "tunedeck:events"
# Beyond it publishing waits: × MAX_BATCH_BYTES of the forwarder at most 320 MiB.
MOST_STREAM_ENTRIES = 5_000
RUN_ATTEMPT_TASK = "tunedeck.run_attempt"
SERVICE_KEY = "tunedeck:service"


def queue_of(host: str) -> str:
    """The Celery queue that only this host's worker consumes."""
    return f"host.{host}"


def broker_url(redis_url: str) -> str:
    """The same server as Celery names it: redis-py says unix:///path, kombu redis+socket:///path."""
    return redis_url.replace("unix://", "redis+socket://", 1)


def control_key(job_id: str) -> str:
    return f"tunedeck:control:{job_id}"


class ServiceRecord(Component):
    """What a worker that joins must know of the service; written at every tick of the scheduler.

    Its paths are absolute, and every host must see the same folders at them (shared_folder.py).
    """

    service_id: str
    version: str
    data_dir: str
    roots: tuple[str, ...] = Field(description="further folders that models and data sets are read from")


class ControlRecord(Component):
    """What the backend wants of a job now. A worker that sees another `attempt` than its own is fenced out."""

    attempt: int
    desired: Literal["run", "stop", "end"] = Field(description="stop: with a last checkpoint; end: at once")
    ingested_seq: int = Field(description="every event of the attempt up to this seq is in the database")
    ingested_line: int = Field(description="likewise for lines of engine.log, counted from 1")


class RunAttempt(Component):
    """The one positional argument of the Celery message, as JSON text. `resume_from`: the absolute path of a complete
    checkpoint, or "". `avoid_devices`: indices of devices that are set aside."""

    job_id: str
    attempt: int
    spec: ResolvedSpec
    resume_from: str
    avoid_devices: tuple[int, ...] = ()


class Device(Component):
    """`uuid`: as NVML names a GPU; "" for a core."""

    index: int
    uuid: str = ""
    name: str
    memory_bytes: int
    compute_capability: tuple[int, int] = Field(description="(0, 0) for a CPU")


class HostFacts(Component):
    """What a worker says of its machine. A host without GPUs offers its cores, each as one device of kind cpu.

    With the launcher `ray` it speaks for a whole Ray cluster: its devices are those of all nodes, one node after the
    other, and Ray deals them out.
    """

    name: str
    kind: Literal["cpu", "cuda"]
    devices: tuple[Device, ...]
    memory_bytes: int
    cuda_version: str
    driver_version: str = Field("", description='of the NVIDIA driver; "" without one')
    transformer_engine_version: str = Field(description='"" where it cannot be imported')
    worker_version: str
    launcher: LauncherName = "local"
    num_devices_of_nodes: tuple[int, ...] = Field((), description="of each node of a Ray cluster")


class ExitReport(Component):
    """How a process tree ended, as the supervisor saw it. `code` is one of errors.py, or "" for a clean end.
    `stopped`: as it was asked to, by a pause or a cancel."""

    outcome: Literal["succeeded", "stopped", "failed", "fenced"]
    returncode: int
    code: str
    message: str
    mend: str
    log_tail: tuple[str, ...] = Field(description="the last lines of engine.log of a failed attempt")
    scene: FaultScene = FaultScene()


class DeviceFault(Component):
    """A GPU that had errors since its driver was loaded (ECC) or since its worker began (Xid). `why` is a sentence."""

    index: int
    num_ecc_errors: int
    num_xid_errors: int
    why: str


class HelloMessage(Component):
    """Every few seconds from every worker: the host is alive and these attempts run on it."""

    kind: Literal["hello"] = "hello"
    facts: HostFacts
    attempts: tuple[tuple[str, int], ...]
    faults: tuple[DeviceFault, ...] = ()


class HeartbeatMessage(Component):
    """`phase`: what the attempt's launcher waits for before the engine can speak for itself; "" for nothing."""

    kind: Literal["heartbeat"] = "heartbeat"
    job_id: str
    attempt: int
    host: str
    phase: str = ""


class EventsMessage(Component):
    """Lines of events.jsonl, unparsed, in order."""

    kind: Literal["events"] = "events"
    job_id: str
    attempt: int
    lines: tuple[str, ...]


class LogMessage(Component):
    """Lines of engine.log; the first has number `first_line`, counted from 1."""

    kind: Literal["log"] = "log"
    job_id: str
    attempt: int
    first_line: int
    lines: tuple[str, ...]


class EndedMessage(Component):
    """The process tree is gone and every event and log line has been sent before this message."""

    kind: Literal["ended"] = "ended"
    job_id: str
    attempt: int
    host: str
    report: ExitReport


BusMessage = Annotated[
    HelloMessage | HeartbeatMessage | EventsMessage | LogMessage | EndedMessage, Field(discriminator="kind")
]
message_adapter: TypeAdapter[BusMessage] = TypeAdapter(BusMessage)
