"""What the browser gets: Jinja2 templates, style sheets and native ES modules. There is no build step.

The room knows no route and no database. The backend calls `install` once on its Jinja environment and renders the
templates of `TEMPLATES_DIR` with plain dicts; files below `STATIC_DIR` are served as they are. A JavaScript framework
was rejected: the pages are few, and what a reader sees in the browser's debugger is what stands in the repository.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import get_args

from jinja2 import Environment

from frontend import filters
from frontend.fault_policies import policy_fields
from frontend.spec_form import spec_groups
from tunedeck.metrics import CATALOGUE
from tunedeck.spec import LossMaskType

TEMPLATES_DIR = Path(__file__).parent / "templates"
STATIC_DIR = Path(__file__).parent / "static"


def install(environment: Environment) -> None:
    """Add what the templates call: the number filters, the form of a JobSpec and the catalogue of metrics."""
    # A spec is read in the order in which it was written; Jinja would sort its keys.
    environment.policies["json.dumps_kwargs"] = {}
    environment.filters.update(filters.FILTERS)
    environment.globals["spec_groups"] = spec_groups
    environment.globals["zip"] = zip
    environment.globals["FAULT_POLICIES"] = policy_fields()
    environment.globals["MASKS"] = get_args(LossMaskType)
    environment.globals["UNITS"] = {metric.name: metric.unit for metric in CATALOGUE}
    environment.globals["METRICS"] = [asdict(metric) for metric in CATALOGUE]
