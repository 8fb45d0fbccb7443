"""Hosts and the queue as tables."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tunedeck.cli.render import columns, console, duration
from tunedeck.views.hosts import HostView
from tunedeck.views.queue import QueuedView, QueueView


def print_queue(queue: QueueView) -> None:
    if not queue.items:
        console().print("nothing waits")
        return
    shown = columns("", "id", "name", "owner", "priority", "why it waits")
    for job in queue.items:
        shown.add_row(str(job.position), job.job_id, job.name, job.owner, str(job.priority), reason(job))
    console().print(shown)
    if queue.num_waiting > len(queue.items):
        console().print(f"and {queue.num_waiting - len(queue.items):,} more")


def reason(job: QueuedView) -> str:
    """Why it waits, and until when as far as anybody knows, in this machine's time zone."""
    if job.expected_start_at is not None:
        return f"{job.why}; expected at {_moment(job.expected_start_at)} on {job.expected_host}"
    if job.not_before is not None and job.not_before > time.time():
        return f"{job.why} before {_moment(job.not_before)}"
    return f"{job.why}; when is not known"


def print_hosts(hosts: Sequence[HostView]) -> None:
    if not hosts:
        console().print("no hosts")
        return
    shown = columns("name", "state", "devices", "free", "runs", "last seen")
    for host in hosts:
        runs = ", ".join(f"{each.name} ({each.num_devices})" for each in host.held) or "–"
        ago = f"{duration(max(0.0, time.time() - host.last_seen_at))} ago"
        shown.add_row(host.facts.name, _state(host), _devices(host), str(host.num_free), runs, ago)
    console().print(shown)
    for host in hosts:
        for device in host.set_aside:
            console().print(f"device {device.index} of {host.facts.name} is set aside: {device.why}", markup=False)


def _devices(host: HostView) -> str:
    number = len(host.facts.devices)
    if host.facts.kind == "cpu" or not number:
        return f"{number} cores"
    return f"{number} × {host.facts.devices[0].name}"


def _state(host: HostView) -> str:
    if not host.alive:
        return "silent"
    if host.drained is None:
        return "alive"
    return f"drained by {host.drained.by}" + (f": {host.drained.why}" if host.drained.why else "")


def _moment(unix_s: float) -> str:
    """The time of day; with the date where it is not today."""
    moment = time.localtime(unix_s)
    is_today = time.strftime("%F", moment) == time.strftime("%F")
    return time.strftime("%H:%M" if is_today else "%F %H:%M", moment)
