"""A worker that trains nothing: it says on the bus what a test tells it to say, when the test says so.

The pages see what they would see of a real one. A mock of REST and stream was rejected: it would test our idea of the
backend. The real engine has a test of its own, test_real_run.py.
"""

from __future__ import annotations

import json
import math
import random
import threading
import time
from collections.abc import Iterable
from typing import Any

import redis

from tests.support.waiting import wait_for
from tunedeck.bus import (
    EVENTS_STREAM,
    BusMessage,
    Device,
    EndedMessage,
    EventsMessage,
    ExitReport,
    HelloMessage,
    HostFacts,
    LogMessage,
)
from tunedeck.client import Client
from tunedeck.fault import Fault, FaultScene

HELLO_EVERY_S = 1.0
_GIB = 1 << 30


class ScriptedWorker:
    """The host `box`, with as many devices as a test may start jobs. It says hello until it is closed."""

    def __init__(self, redis_url: str) -> None:
        self._bus = redis.Redis.from_url(redis_url)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._greet, daemon=True)
        self._thread.start()

    def say(self, message: BusMessage) -> None:
        self._bus.xadd(EVENTS_STREAM, {"m": message.model_dump_json()})

    def close(self) -> None:
        self._closed.set()
        self._thread.join()
        self._bus.close()

    def _greet(self) -> None:
        while not self._closed.wait(HELLO_EVERY_S):
            self.say(HelloMessage(facts=_FACTS, attempts=()))


class ScriptedAttempt:
    """One attempt of a job, from its first word on."""

    def __init__(self, worker: ScriptedWorker, client: Client, job_id: str) -> None:
        self._worker = worker
        self._client = client
        self.job_id = job_id
        self.step = 0
        self._seq = 0
        self._num_lines = 0
        self._random = random.Random(job_id)
        wait_for(lambda: client.job(job_id).attempt > 0, "the placement of the job")
        self.number = client.job(job_id).attempt

    def begin(self, num_steps: int, first_step: int = 1, num_ranks: int = 1) -> None:
        """Everything before the first step."""
        self.step = first_step - 1
        self._events({"kind": "phase", "phase": "loading"})
        facts = {"num_training_samples": 7_840, "num_dropped_rows": 3, "num_ranks": num_ranks, "params_dtype": "bf16"}
        self._events({"kind": "plan", "train_iters": num_steps, "first_step": first_step, "facts": facts})
        self._events({"kind": "phase", "phase": "training"})
        if first_step == 1:
            self.validate()

    def steps(self, number: int, **changed: float | None) -> None:
        """The next `number` steps in one message, as the forwarder batches them, each with a line of log. `changed` are
        metrics that are not as usual."""
        events: list[dict[str, Any]] = []
        for _ in range(number):
            self.step += 1
            events.append({"kind": "step", "step": self.step, "metrics": self._metrics() | changed})
        self._events(*events)
        self.log(f"step {event['step']}: loss {event['metrics']['loss']}" for event in events)

    def validate(self) -> None:
        loss = 0.42 + 2.5 * math.exp(-self.step / 60)
        self._events({"kind": "eval", "step": self.step, "metrics": {"validation_loss": loss}})

    def checkpoint(self) -> None:
        path = f"checkpoints/iter_{self.step:07d}"
        kind = {"kind": "checkpoint", "format": "dist_checkpointing"}
        self._events({**kind, "step": self.step, "path": path, "size_bytes": 17 << 20})

    def log(self, lines: Iterable[str]) -> None:
        said = tuple(lines)
        self._worker.say(
            LogMessage(job_id=self.job_id, attempt=self.number, first_line=self._num_lines + 1, lines=said)
        )
        self._num_lines += len(said)

    def succeed(self) -> None:
        self._events({"kind": "end", "outcome": "succeeded", "step": self.step})
        self._end(ExitReport(outcome="succeeded", returncode=0, code="", message="", mend="", log_tail=()))

    def fail(self, code: str, message: str, mend: str, log_tail: tuple[str, ...]) -> None:
        """On rank 0, in the step after the last one that was done."""
        scene = FaultScene(
            rank=0,
            step=self.step + 1,
            doing="forward and backward",
            memory_bytes=78 * 2**30,
            peak_memory_bytes=79 * 2**30,
            total_memory_bytes=80 * 2**30,
        )
        fault = Fault(code=code, message=message, mend=mend, scene=scene)
        self._events({"kind": "error", **fault.model_dump()}, {"kind": "end", "outcome": "failed", "step": self.step})
        self._end(ExitReport(outcome="failed", returncode=1, log_tail=log_tail, **dict(fault)))

    def stopped(self) -> None:
        self._events({"kind": "end", "outcome": "stopped", "step": self.step})
        self._end(ExitReport(outcome="stopped", returncode=0, code="", message="", mend="", log_tail=()))

    def _end(self, report: ExitReport) -> None:
        self._worker.say(EndedMessage(job_id=self.job_id, attempt=self.number, host=_FACTS.name, report=report))

    def _events(self, *events: dict[str, Any]) -> None:
        lines = []
        for event in events:
            self._seq += 1
            lines.append(json.dumps({"seq": self._seq, "t": time.time(), **event}))
        self._worker.say(EventsMessage(job_id=self.job_id, attempt=self.number, lines=tuple(lines)))

    def _metrics(self) -> dict[str, float]:
        step, noise = self.step, self._random.gauss
        return {
            "loss": max(0.05, 0.35 + 2.6 * math.exp(-step / 60) + noise(0, 0.05)),
            "lr": 1e-3 * min(1.0, step / 20) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / 300))),
            "grad_norm": 0.6 + 2 * math.exp(-step / 30) + abs(noise(0, 0.12)),
            "tokens_per_s": 18_400 + noise(0, 350) - (6_000 if step % 50 == 0 else 0),
            "tokens_per_s_per_gpu": 18_400 + noise(0, 350),
            "step_time_s": 0.32 + noise(0, 0.008) + (0.12 if step % 50 == 0 else 0),
            "data_time_s": 0.004 + abs(noise(0, 0.001)),
            "forward_backward_time_s": 0.27 + noise(0, 0.006),
            "optimizer_time_s": 0.03 + noise(0, 0.001),
            "wait_time_s": 0.01 + abs(noise(0, 0.001)),
            "checkpoint_time_s": 0.2 if step % 100 == 1 else 0.0,
            "tflops_per_gpu": 480 + noise(0, 6),
            "mfu": 0.485 + noise(0, 0.006),
            "gpu_utilization": 0.97 + 0.02 * math.sin(step),
            "power_w": 610 + noise(0, 12),
            "temperature_c": 61.0,
            "num_tokens": 4096,
            "num_trained_tokens": 2100,
            "padding_share": 0.03,
            "num_microbatches": 2,
            "memory_bytes": 1.21 * _GIB,
            "peak_memory_bytes": 1.38 * _GIB,
        }


_FACTS = HostFacts(
    name="box",
    # GPUs, because a host of kind cpu trains one job at a time.
    kind="cuda",
    devices=tuple(
        Device(index=index, name="NVIDIA H100 80GB HBM3", memory_bytes=80 * _GIB, compute_capability=(9, 0))
        for index in range(256)
    ),
    memory_bytes=1024 * _GIB,
    cuda_version="12.9",
    transformer_engine_version="",
    worker_version="0.1.0",
)
