"""Puts a report together: one template, with style, script, values and plotly.js inside it.

Its size is mostly plotly.js. The plotly package ships the full library alone (4.8 MB), and not the smaller bundles, so
it goes in compressed and the browser unpacks it: 2 MB. A policy in the file itself forbids it every request.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from functools import cache

import orjson
import yaml
from jinja2 import Environment

import frontend
from backend.db.database import Database
from backend.http.static_files import plotly_source
from backend.reports.charts import charts_of, num_points
from backend.reports.content import Run, runs_of
from backend.reports.tables import COLUMNS, differences, results
from tunedeck import __version__

# What a comparison shows: as the page of comparisons.
COMPARED = frozenset(
    {
        "loss",
        "validation_loss",
        "tokens_per_s_per_gpu",
        "mfu",
        "grad_norm",
        "lr",
        "step_time_s",
        "peak_memory_bytes",
        "padding_share",
    }
)


def report_of(database: Database, templates: Environment, job_ids: Sequence[str], now: float) -> bytes:
    """One job with everything that it told, several with what can be compared. Raises NotFound."""
    wanted = list(dict.fromkeys(job_ids))
    runs = runs_of(database, wanted, COMPARED if len(wanted) > 1 else frozenset())
    values = {
        "charts": charts_of(runs),
        "starts": [{"run": at, "steps": run.first_steps} for at, run in enumerate(runs)],
    }
    page = templates.get_template("report.html").render(
        runs=[_for_page(run) for run in runs],
        columns=[column.title for column in COLUMNS],
        results=results(runs),
        differences=differences(runs),
        num_points=num_points(runs),
        made_at=now,
        version=__version__,
        styles=[_static("css/tokens.css"), _static("css/report.css")],
        script=_static("js/report.js"),
        values=_packed(orjson.dumps(values), 6),
        plotly=_packed_plotly(),
    )
    return page.encode()


def _for_page(run: Run) -> dict[str, object]:
    return {
        "job": run.job.model_dump(mode="json"),
        "asked": _yaml(run.job.model_dump(mode="json")["spec"]),
        "resolved": _yaml(run.job.resolved),
        "happenings": run.happenings,
        "has_more_happenings": run.has_more_happenings,
    }


def _yaml(value: object) -> str:
    # The one in Python takes a fifth of the time of a whole report.
    return str(yaml.dump(value, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=120))


def _static(path: str) -> str:
    return (frontend.STATIC_DIR / path).read_text()


def _packed(content: bytes, level: int) -> str:
    return base64.b64encode(gzip.compress(content, compresslevel=level, mtime=0)).decode()


@cache
def _packed_plotly() -> str:
    return _packed(plotly_source(), 9)
