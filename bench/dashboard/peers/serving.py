"""How each tracker serves one long series to its own page: its server, and the request that its charts make."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.dashboard.peers import store_series
from bench.dashboard.peers.environment import Peers
from bench.deployment import wait_for
from tunedeck.up.port import free_port

STORE_S = 150.0
START_S = 90.0


@dataclass(frozen=True)
class Serving:
    """`command` of its server, and the request for the series `loss` of a run; `num_points` counts what it answered."""

    command: Callable[[Path, int], list[str]]
    method: str
    path: Callable[[str], str]
    body: Callable[[str], Any]
    num_points: Callable[[Any], int]
    own_env: dict[str, str] = field(default_factory=dict)


SERVING: dict[str, Serving] = {
    "trackio": Serving(
        lambda folder, port: ["trackio", "show", "--project", "bench", "--no-footer", "--host", "127.0.0.1"],
        "POST",
        lambda run: "/api/get_logs",
        lambda run: {"project": "bench", "run": run},
        lambda answer: len(answer["data"] if isinstance(answer, dict) else answer),
    ),
    "mlflow": Serving(
        lambda folder, port: [
            *("mlflow", "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--workers", "1"),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        "GET",
        lambda run: (
            f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?run_ids={run}&metric_key=loss&max_results=2000"
        ),
        lambda run: None,
        lambda answer: len(answer["metrics"]),
    ),
    "tensorboard": Serving(
        lambda folder, port: [
            *("tensorboard", "--logdir", f"{folder}/tensorboard", "--host", "127.0.0.1", "--port", str(port)),
            *("--load_fast", "false"),
        ],
        "GET",
        lambda run: "/data/plugin/scalars/scalars?run=.&tag=loss",
        lambda run: None,
        len,
    ),
    "aim": Serving(
        lambda folder, port: ["aim", "up", "--repo", str(folder), "--host", "127.0.0.1", "--port", str(port)],
        "POST",
        lambda run: f"/api/runs/{run}/metric/get-batch/",
        lambda run: [{"name": "loss", "context": {}}],
        lambda answer: len(answer[0]["values"]),
    ),
}


def timed(name: str, found: Peers, series: Path, time_of: Callable[[Callable[[], httpx.Response]], list[float]]) -> Any:
    """Stores the series with a tracker, starts its server, and lets `time_of` ask; seconds of each, and the points."""
    assert found.python
    serving, folder, port = SERVING[name], found.folder / f"series-{name}", free_port("127.0.0.1", 0)
    folder.mkdir()
    env = {**found.env(), "GRADIO_SERVER_PORT": str(port), "TRACKIO_DIR": str(folder)}
    store = [str(found.python), store_series.__file__, name, str(folder), str(series)]
    made = subprocess.run(store, env=env, cwd=folder, capture_output=True, text=True, timeout=STORE_S, check=True)
    run = made.stdout.split()[-1]
    with ExitStack() as stack:
        log = stack.enter_context((folder / "server.log").open("wb"))
        command, *arguments = serving.command(folder, port)
        server = subprocess.Popen(
            [str(found.bin / command), *arguments],
            env=env,
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        stack.callback(_end, server)
        client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False))
        request = client.build_request(serving.method, serving.path(run), json=serving.body(run))
        wait_for(lambda: _has_points(client, request, serving), name, START_S, look_every_s=1.0)
        taken_s = time_of(lambda: client.send(request))
        return taken_s, serving.num_points(client.send(request).json())


def _has_points(client: httpx.Client, request: httpx.Request, serving: Serving) -> bool:
    try:
        answer = client.send(request)
        return answer.is_success and serving.num_points(answer.json()) >= 100
    except (httpx.TransportError, ValueError, LookupError, TypeError):
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """With its children: what serves Aim's page is one, and outlives it."""
    os.killpg(server.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        server.wait(10)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
