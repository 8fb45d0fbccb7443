"""One attempt from its message to its end: claim it, start the supervisor, follow files and control record, report.

All of it happens in one thread, in short rounds. Neither the bus nor the backend is needed for training to go on: what
cannot be sent now stays in the files, and a request to stop is a file too.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis

from tunedeck.bus import ExitReport, HeartbeatMessage, RunAttempt
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings
from worker.claim import claim
from worker.devices import Dealer
from worker.endings import ended_at_once, failed_on_host, interrupted, left_before_start, stopped_before_start
from worker.forwarder.forwarder import Forwarder, Progress
from worker.publisher import Publisher, Verdict
from worker.supervisor.leftovers import remove_leftovers
from worker.supervisor_process import SupervisorProcess

logger = logging.getLogger(__name__)

POLL_S = 0.05
BLOCKED_POLL_S = 0.25
MIN_BACKOFF_S = 0.1
MAX_BACKOFF_S = 2.0
LEAVE_WAIT_S = 3.0  # for the last words, when the worker ends and the bus does not answer


@dataclass(frozen=True)
class Host:
    """What every attempt on this host shares."""

    name: str
    settings: Settings
    bus: redis.Redis
    devices: Dealer
    engine_module: str


class Attempt:
    def __init__(self, order: RunAttempt, host: Host) -> None:
        self._order = order
        self._host = host
        self._folder = RunFolder.of(host.settings.data_dir.resolve(), order.job_id, order.attempt)
        self._publisher = Publisher(host.bus, order.job_id, order.attempt)
        self._forwarder = Forwarder(self._publisher, self._folder, order, host.name)
        self._leaving = threading.Event()
        self._fenced = False
        self._next_beat = 0.0
        self._backoff_s = 0.0
        self._is_live = False

    @property
    def is_live(self) -> bool:
        """Whether this worker has the attempt and has not yet said how it ended."""
        return self._is_live and not self._forwarder.end_is_published

    def leave(self) -> None:
        """The worker ends: ask for a last checkpoint, end the tree, report no outcome. Returns at once."""
        self._leaving.set()

    def run(self) -> None:
        """Returns when the attempt is over and the backend knows, or when it has been replaced."""
        if self._is_replaced():
            self._log("has been replaced; its message came too late")
            return
        try:
            if not claim(self._folder, self._order):
                self._log("is claimed already; this message was a double")
                return
            self._is_live = True
            for folder in self._folder.earlier():
                remove_leftovers(folder)  # those of a host that lost its power, which nobody could remove then
            report = self._train()
        except OSError as fault:
            report = failed_on_host(self._host.name, fault)
        self._tell_end(report)
        self._forwarder.close()
        self._is_live = False

    def _train(self) -> ExitReport:
        """From the claim until every process is gone."""
        devices = self._wait_for_devices()
        if devices is None:
            return left_before_start() if self._leaving.is_set() else stopped_before_start()
        try:
            supervisor = SupervisorProcess.start(
                self._order, self._folder, devices, self._host.settings, self._host.engine_module
            )
            self._log("is started by supervisor %d", supervisor.pid)
            self._follow(supervisor)
        finally:
            self._host.devices.give_back(devices)
        report = supervisor.exit_report()
        self._log("ended: %s %s", report.outcome, report.message)
        if self._is_end_asked():
            return ended_at_once(report)
        return interrupted(report) if self._leaving.is_set() and not self._is_stop_asked() else report

    def _wait_for_devices(self) -> tuple[int, ...] | None:
        """None when nobody wants the attempt any more. A replaced attempt's processes may be ending on our devices."""
        num_devices, avoid = self._order.spec.hardware.num_devices, self._order.avoid_devices
        while (devices := self._host.devices.take(self._order.job_id, num_devices, avoid)) is None:
            self._pause(self._try(self._say_alive))
            if self._fenced or self._is_stop_wanted():
                return None
        return devices

    def _follow(self, supervisor: SupervisorProcess) -> None:
        """Until the supervisor has ended, by itself or because nobody wants a last checkpoint of the attempt."""
        try:
            while not supervisor.has_ended() and not self._fenced:
                progress = self._try(self._forward)
                if self._is_end_asked():
                    return
                if self._is_stop_wanted():
                    self._folder.stop_request.touch()
                    supervisor.must_end_within(self._host.settings.stop_grace_s)
                self._pause(progress)
        finally:
            supervisor.wait()

    def _tell_end(self, report: ExitReport) -> None:
        """Send what is left, then the end, and stay until the backend has stored it: the bus may yet lose it."""
        deadline = time.monotonic() + LEAVE_WAIT_S
        while not self._fenced:
            if self._leaving.is_set() and (self._forwarder.end_is_published or time.monotonic() > deadline):
                return
            progress = self._try(lambda: self._forward_end(report))
            if progress is Progress.IDLE:
                return
            self._pause(progress)

    def _forward(self) -> Progress:
        alive = self._say_alive()
        return alive if alive is Progress.FENCED else self._forwarder.forward(final=False)

    def _forward_end(self, report: ExitReport) -> Progress:
        """IDLE when there is nothing more to do."""
        if self._forwarder.end_is_published:
            return Progress.IDLE if self._forwarder.is_end_ingested() else Progress.BLOCKED
        if self._say_alive() is Progress.FENCED:
            return Progress.FENCED
        progress = self._forwarder.forward(final=True)
        if progress is not Progress.IDLE:
            return progress
        return self._forwarder.publish_end(report)

    def _say_alive(self) -> Progress:
        """Send a heartbeat if one is due."""
        now = time.monotonic()
        if now < self._next_beat:
            return Progress.IDLE
        beat = HeartbeatMessage(
            job_id=self._order.job_id,
            attempt=self._order.attempt,
            host=self._host.name,
            phase=self._folder.waiting_for(),
        )
        verdict = self._publisher.publish_out_of_turn(beat).verdict
        self._next_beat = now + self._host.settings.heartbeat_s
        return Progress.FENCED if verdict is Verdict.FENCED else Progress.IDLE

    def _try(self, act: Callable[[], Progress]) -> Progress:
        """One round with the bus. While it is away, rounds come at growing distances."""
        try:
            progress = act()
        except redis.RedisError as fault:
            if self._backoff_s == 0.0:
                self._log("the bus is away, training goes on: %s", fault)
            self._backoff_s = min(MAX_BACKOFF_S, max(MIN_BACKOFF_S, 2 * self._backoff_s))
            return Progress.BLOCKED
        if self._backoff_s > 0.0:
            self._log("the bus is back")
        self._backoff_s = 0.0
        if progress is Progress.FENCED and not self._fenced:
            self._log("has been replaced: its processes are ended and nothing more is sent")
            self._fenced = True
        return progress

    def _pause(self, progress: Progress) -> None:
        if progress is Progress.MORE:
            return
        if progress is Progress.BLOCKED:
            time.sleep(self._backoff_s or BLOCKED_POLL_S)
        else:
            time.sleep(POLL_S)

    def _is_replaced(self) -> bool:
        """Whether a newer attempt is known already. A bus that does not answer leaves that to the first heartbeat."""
        try:
            control = self._publisher.read_control()
        except redis.RedisError as fault:
            self._log("the control record cannot be read: %s", fault)
            return False
        return control is not None and control.attempt != self._order.attempt

    def _is_stop_asked(self) -> bool:
        """Whether the backend wants the attempt to end, with a last checkpoint or without."""
        control = self._publisher.control
        return control is not None and control.desired != "run"

    def _is_end_asked(self) -> bool:
        control = self._publisher.control
        return control is not None and control.desired == "end"

    def _is_stop_wanted(self) -> bool:
        return self._leaving.is_set() or self._is_stop_asked()

    def _log(self, text: str, *values: object) -> None:
        logger.info("job %s attempt %d " + text, self._order.job_id, self._order.attempt, *values)
