"""The demo job from registration to its numbers, over REST like any other job.

A second demo is a second job on the same model and data.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tunedeck.client import Client
from tunedeck.client.follow import follow_job
from tunedeck.demo import assets
from tunedeck.demo.numbers import DemoNumbers
from tunedeck.demo.registration import register
from tunedeck.errors import EngineFailed
from tunedeck.lifecycle import JobState
from tunedeck.run_folder import RunFolder
from tunedeck.settings import Settings
from tunedeck.views.jobs import JobView
from tunedeck.views.metrics import Series

MAX_POINTS = 5000


class DemoRun:
    """Call `submit`, `follow`, `score`, in this order. `started` is time.monotonic() at the start of the command."""

    def __init__(self, client: Client, settings: Settings, started: float) -> None:
        self._client = client
        self._settings = settings
        self._started = started
        self._job_id = ""
        self._first_point_s = 0.0
        self._end_of_job_s = 0.0

    def submit(self) -> str:
        """The id of the new job; model and data set are registered if they are not."""
        register(self._client, self._settings)
        self._job_id = self._client.submit(assets.demo_spec()).id
        return self._job_id

    def follow(self, tell: Callable[[JobView], None]) -> None:
        """Until the job has ended. Raise EngineFailed unless it succeeded."""
        for job, message in follow_job(self._client, self._job_id):
            if message.event == "step" and not self._first_point_s:
                self._first_point_s = self._elapsed_s()
            tell(job)
        self._end_of_job_s = self._elapsed_s()
        if job.state is JobState.SUCCEEDED:
            return
        reason = f"{job.fault.message}: {job.fault.mend}" if job.fault else "nobody said why"
        raise EngineFailed(f"the demo job {job.state}: {reason}", f"look at its page, /runs/{job.id}")

    def score(self) -> DemoNumbers:
        """Exact match of the base and of the export, side by side, and the figures of the run."""
        job = self._client.job(self._job_id)
        export = RunFolder.of(self._settings.data_dir, job.id, job.attempt).export
        before, after = exact_match(Path(self._client.model(assets.MODEL_NAME).path), export)
        names = ("loss", "validation_loss", "tokens_per_s")
        series = self._client.metrics(job.id, names, max_points=MAX_POINTS).series
        train, validation, speed = (_finite(series[name]) for name in names)
        return DemoNumbers(
            job_id=job.id,
            num_steps=job.step,
            seconds_to_first_point=round(self._first_point_s, 1),
            seconds_to_end_of_job=round(self._end_of_job_s, 1),
            seconds_total=round(self._elapsed_s(), 1),
            first_train_loss=round(train[0], 4),
            last_train_loss=round(train[-1], 4),
            first_validation_loss=round(validation[0], 4),
            last_validation_loss=round(validation[-1], 4),
            exact_match_before=before,
            exact_match_after=after,
            tokens_per_s=round(statistics.median(speed), 1),
        )

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._started


def exact_match(*folders: Path) -> tuple[float, ...]:
    """The share of held-out questions that each folder's model answers exactly; scored by the worker room, at once."""
    scorers = [
        subprocess.Popen(
            [sys.executable, "-m", "worker.exact_match", str(folder), "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for folder in folders
    ]
    return tuple(_score_of(scorer) for scorer in scorers)


def _score_of(scorer: subprocess.Popen[str]) -> float:
    output, errors = scorer.communicate()
    if scorer.returncode != 0:
        last_words = errors.strip().splitlines()[-1:] or ["it said nothing"]
        raise EngineFailed(
            f"the model could not be scored: {last_words[0]}", "run `python -m worker.exact_match FOLDER`"
        )
    return float(json.loads(output.splitlines()[-1])["exact_match"])


def _finite(series: Series) -> Sequence[float]:
    return [value for value in series.values if value is not None]
