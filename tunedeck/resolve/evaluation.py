"""Whether there is anything to validate on, where the spec wants to act on validation losses."""

from __future__ import annotations

from tunedeck.errors import Problem
from tunedeck.resolved import ResolvedData
from tunedeck.spec import Evaluation


def check_evaluation(asked: Evaluation, data: ResolvedData, problems: list[Problem]) -> None:
    wishes: dict[str, object] = {}
    if asked.early_stop_patience:
        wishes["early_stop_patience"] = asked.early_stop_patience
    if asked.keep_best:
        wishes["keep_best"] = True
    for field, value in wishes.items():
        if not (data.num_validation_rows or data.validation_path):
            message = f"{field} needs a validation loss, and no rows are held out"
            mend = "set data.validation_fraction above 0, or name a data.validation_dataset"
            problems.append(Problem(f"evaluation.{field}", value, message, mend))
        elif asked.eval_interval == 0:
            message = f"{field} needs validation losses during the run, and eval_interval is 0"
            problems.append(Problem(f"evaluation.{field}", value, message, "set eval_interval"))
    if asked.early_stop_min_delta and not asked.early_stop_patience:
        message = f"early_stop_min_delta {asked.early_stop_min_delta} means nothing without early_stop_patience"
        field = "evaluation.early_stop_min_delta"
        problems.append(Problem(field, asked.early_stop_min_delta, message, "set early_stop_patience"))
