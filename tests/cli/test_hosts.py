"""`tunedeck queue` and `tunedeck hosts` against a service that says what it is told."""

from __future__ import annotations

import time
from typing import Any

from tests.cli.test_commands import tunedeck
from tests.client.service import StandIn
from tests.support.jobs import facts_of
from tunedeck.views.hosts import DrainView, HostView, SetAsideView
from tunedeck.views.queue import QueuedView, QueueView


def waiting(position: int, why: str, **fields: Any) -> QueuedView:
    values: dict[str, Any] = {
        "job_id": f"j{position}",
        "name": f"run{position}",
        "owner": "anna",
        "priority": 0,
        "preemptible": True,
        "device": "cuda",
        "num_devices": 4,
        "created_at": 1.0,
        "expected_host": "",
        "expected_start_at": None,
        "not_before": None,
    }
    return QueuedView(position=position, why=why, **(values | fields))


def host(name: str, **fields: Any) -> dict[str, Any]:
    facts = facts_of(name, num_devices=8, device="NVIDIA H200")
    view = HostView(facts=facts, last_seen_at=time.time(), alive=True, jobs=(), num_free=8)
    return view.model_copy(update=fields).model_dump(mode="json")


def test_the_queue_says_why_each_job_waits_and_until_when_as_far_as_that_is_known(service: StandIn) -> None:
    today = time.mktime((*time.localtime()[:3], 14, 20, 0, 0, 0, -1))
    items = (
        waiting(1, "needs 4 × H200 on one host; 2 free on gpu-1", expected_start_at=today, expected_host="gpu-1"),
        waiting(2, "needs 16 × H200 on one host; gpu-1, the largest host that takes jobs, has 8"),
        waiting(3, "it failed and is tried again, but not yet", not_before=today + 365 * 24 * 3600),
    )
    service.on("GET /queue", QueueView(items=items, num_waiting=1_003, shares=()).model_dump(mode="json"))
    said = tunedeck(service, "queue", "--limit", "3").stdout
    assert "needs 4 × H200 on one host; 2 free on gpu-1; expected at 14:20 on gpu-1" in said
    assert "has 8; when is not known" in said
    assert "not yet before 2" in said
    assert said.endswith("and 1,000 more\n")
    assert service.asked[0].query == {"limit": ["3"]}


def test_hosts_are_listed_with_what_is_wrong_with_them(service: StandIn) -> None:
    faulty = SetAsideView(index=3, why="Xid 79", since=1.0)
    drained = DrainView(by="anna", why="new driver", since=1.0)
    service.on("GET /hosts", {"items": [host("gpu-1", set_aside=(faulty,)), host("gpu-2", drained=drained)]})
    said = tunedeck(service, "hosts", "ls").stdout
    assert "8 × NVIDIA H200" in said
    assert "drained by anna: new driver" in said
    assert "device 3 of gpu-1 is set aside: Xid 79" in said


def test_a_host_is_drained_taken_back_and_its_device_released_by_name(service: StandIn) -> None:
    for call in ("drain", "undrain", "devices/3/release"):
        service.on(f"POST /hosts/gpu-1/{call}", host("gpu-1"))
    assert tunedeck(service, "hosts", "drain", "gpu-1", "--why", "new driver", "--pause").stdout == (
        "gpu-1 is drained; nothing runs there\n"
    )
    assert service.asked[0].body == {"why": "new driver", "pause": True}
    assert tunedeck(service, "hosts", "undrain", "gpu-1").stdout == "gpu-1 takes jobs again: 8 free\n"
    assert tunedeck(service, "hosts", "release", "gpu-1", "3").stdout == "device 3 of gpu-1 is released: 8 free\n"
