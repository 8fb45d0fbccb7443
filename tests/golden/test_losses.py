"""The losses of a small run are those of yesterday; a meant change renews them: `python -m tests.golden.run`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.golden.run import GOLDEN, NUM_STEPS, measure


def test_the_run_of_the_golden_losses_gives_them_again(tmp_path: Path) -> None:
    golden, now = json.loads(GOLDEN.read_text()), measure(tmp_path)
    assert len(golden) == len(now) == NUM_STEPS
    for step, (kept, got) in enumerate(zip(golden, now, strict=True), start=1):
        # Other processors add in other orders; twenty steps make more of it than one.
        assert got == pytest.approx(kept, rel=1e-3), f"step {step}; renew with `python -m tests.golden.run` if meant"
    assert golden[-1]["loss"] < golden[0]["loss"] / 2
