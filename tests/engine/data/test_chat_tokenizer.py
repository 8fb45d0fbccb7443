"""What is said of a model folder whose tokenizer cannot be used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tunedeck.demo.assets import write_base_model
from tunedeck.errors import ModelInvalid
from worker.engine.data.chat_tokenizer import ChatTokenizer


def test_a_config_that_contradicts_itself_is_a_fault_of_the_model(tmp_path: Path) -> None:
    write_base_model(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"num_hidden_layers": 6}))
    with pytest.raises(ModelInvalid, match=r"`num_hidden_layers` \(6\) must be equal to the number of `layer_types`"):
        ChatTokenizer.load(tmp_path)
