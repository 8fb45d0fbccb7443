"""Closed by default also means: no port of any process can be reached from another machine."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path

import psutil
import pytest

from tests.support.up import Up, running_up
from tests.support.waiting import wait_for
from tunedeck.client import Client
from tunedeck.demo import assets
from tunedeck.demo.registration import register
from tunedeck.lifecycle import JobState


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="two ranks need two cores")
def test_nothing_listens_beyond_this_machine_while_two_ranks_train(tmp_path: Path) -> None:
    with running_up(tmp_path) as up, up.client() as client:
        register(client, up.settings)
        spec = assets.demo_spec().model_dump(mode="json", exclude_unset=True)
        job_id = client.submit(spec | {"resources": {"num_devices": 2}}).id
        wait_for(lambda: _has_trained(client, job_id), "the first step", 240)
        heard = _listening_addresses(up)
        client.cancel(job_id)
        wait_for(lambda: client.job(job_id).state is JobState.CANCELLED, "the end of the job", 120)
    assert len(heard) > 2, "the backend and both ranks listen"
    assert [address for address in heard if not ipaddress.ip_address(address).is_loopback] == []


def _has_trained(client: Client, job_id: str) -> bool:
    job = client.job(job_id)
    assert job.state is not JobState.FAILED, job.fault
    return job.step > 0


def _listening_addresses(up: Up) -> list[str]:
    return [
        connection.laddr.ip
        for process in psutil.Process(up.process.pid).children(recursive=True)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
