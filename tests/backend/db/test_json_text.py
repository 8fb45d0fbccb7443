"""What orjson cannot write is written all the same, and what JSON cannot say is null."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from backend.db.json_text import json_text, json_value


@pytest.mark.parametrize("value", [{"text": "ü\n\0"}, {"half": "\ud83d"}, [2**70, -(2**63)], [0.1 + 0.2, None, True]])
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    assert json.loads(json_text(value)) == value
    assert json_value(json_text(value)) == json_value(json_text(value).encode()) == value


def test_what_is_not_finite_is_null() -> None:
    assert json_text([math.nan, math.inf]) == "[null,null]"


def test_what_the_standard_library_wrote_is_read() -> None:
    assert math.isnan(json_value(json.dumps({"loss": math.nan}))["loss"])
