"""Of all who want an attempt, one gets it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.worker.orders import order
from tunedeck.resolved import ResolvedSpec
from tunedeck.run_folder import RunFolder
from worker.claim import claim


def test_one_of_many_claims_wins_and_leaves_the_whole_spec(tmp_path: Path) -> None:
    folder, job = RunFolder(tmp_path / "1"), order("plain", 5)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: claim(folder, job), range(40)))
    assert sum(answers) == 1
    assert ResolvedSpec.model_validate_json(folder.spec.read_text()) == job.spec
    assert [path.name for path in folder.root.iterdir() if path.is_file()] == ["spec.json"]
