"""Registering models: what is taken, and what is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from safetensors.numpy import save_file
from sqlalchemy.orm import Session

from backend.db.database import Database
from backend.db.tables.jobs import JobRow
from backend.models.service import register_export
from tests.support.backend import TINY_NUM_PARAMETERS, write_model
from tunedeck.errors import ModelInvalid
from tunedeck.ids import new_id
from tunedeck.settings import Settings

MODELS = "/api/v1/models"


def _register(client: TestClient, path: str | Path, name: str = "m") -> Any:
    return client.post(MODELS, json={"name": name, "path": str(path)})


def _refusal(client: TestClient, path: str | Path) -> dict[str, Any]:
    answer = _register(client, path)
    assert answer.status_code == 422, answer.text
    assert client.get(MODELS).json()["items"] == []
    error: dict[str, Any] = answer.json()["error"]
    assert error["problems"][0]["field"] == "path" and error["mend"]
    return error


def test_a_folder_is_registered_with_what_its_headers_say(client: TestClient, settings: Settings) -> None:
    folder = write_model(settings.models_dir / "tiny")
    answer = _register(client, "tiny")
    assert answer.status_code == 201
    view = answer.json()
    assert view["num_parameters"] == TINY_NUM_PARAMETERS
    assert view["size_bytes"] == (folder / "model.safetensors").stat().st_size
    assert (view["architecture"], view["path"], view["from_job"]) == ("Qwen3ForCausalLM", str(folder.resolve()), "")
    assert client.get(f"{MODELS}/m").json() == view
    assert client.get(MODELS).json()["items"] == [view]


def test_shards_are_counted_by_the_index(client: TestClient, settings: Settings) -> None:
    folder = write_model(settings.models_dir / "tiny")
    (folder / "model.safetensors").unlink()
    for number in (1, 2):
        save_file({f"w{number}": np.zeros((3, number), np.float32)}, folder / f"model-{number}.safetensors")
    weight_map = {"w1": "model-1.safetensors", "w2": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert _register(client, folder).json()["num_parameters"] == 3 + 6
    (folder / "model-2.safetensors").unlink()
    again = _register(client, folder, name="again").json()["error"]
    assert (again["code"], "model-2.safetensors" in again["message"]) == ("model_invalid", True)


def test_a_second_model_of_the_same_name_is_a_conflict(client: TestClient, settings: Settings) -> None:
    write_model(settings.models_dir / "tiny")
    _register(client, "tiny")
    answer = _register(client, "tiny")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "conflict")


def test_a_path_outside_the_roots_or_out_of_reach_is_refused_whether_it_exists_or_not(
    client: TestClient, subtests: pytest.Subtests
) -> None:
    for path in ["/etc", "../../etc", "/nowhere/at/all", "a\0b", "n" * 300]:
        with subtests.test(path=path):
            assert _refusal(client, path)["code"] == "path_refused"


def test_a_link_that_leads_outside_is_refused(client: TestClient, settings: Settings, tmp_path: Path) -> None:
    outside = write_model(tmp_path / "outside")
    settings.models_dir.mkdir(parents=True, exist_ok=True)
    (settings.models_dir / "linked").symlink_to(outside)
    assert _refusal(client, "linked")["code"] == "path_refused"
    folder = write_model(settings.models_dir / "half")
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(outside / "model.safetensors")
    assert _refusal(client, "half")["code"] == "path_refused"


def test_pickled_weights_are_refused_by_name(client: TestClient, settings: Settings, subtests: pytest.Subtests) -> None:
    for name in ["pytorch_model.bin", "model.pt"]:
        with subtests.test(name=name):
            folder = write_model(settings.models_dir / "tiny")
            (folder / "model.safetensors").rename(folder / name)
            for path in (folder, folder / name):
                error = _refusal(client, path)
                assert error["code"] == "path_refused" and name in error["message"]


def test_a_cut_off_or_garbled_safetensors_file_is_named(client: TestClient, settings: Settings) -> None:
    file = write_model(settings.models_dir / "tiny") / "model.safetensors"
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:5], b"", b"\xff" * 64, whole + b"x"):
        file.write_bytes(damaged)
        error = _refusal(client, "tiny")
        assert error["code"] == "model_invalid" and "model.safetensors" in error["message"]


def test_a_missing_file_is_refused(client: TestClient, settings: Settings, subtests: pytest.Subtests) -> None:
    for missing in ["config.json", "tokenizer.json", "model.safetensors"]:
        with subtests.test(missing=missing):
            (write_model(settings.models_dir / "tiny") / missing).unlink()
            assert _refusal(client, "tiny")["code"] == "model_invalid"


def test_a_config_that_cannot_be_trained_is_refused(
    client: TestClient, settings: Settings, subtests: pytest.Subtests
) -> None:
    for config in [
        {"architectures": ["GPT2LMHeadModel"]},
        {"architectures": []},
        {"architectures": "Qwen3ForCausalLM"},
        {"architectures": [["Qwen3ForCausalLM"]]},
        {"num_hidden_layers": None},
        {"vocab_size": -1},
        {"hidden_size": "8"},
        {"num_key_value_heads": 0.5},
        {"intermediate_size": None},
        {"head_dim": None},
        {"sliding_window": 32, "use_sliding_window": True},
        {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}},
        {"architectures": ["Qwen3MoeForCausalLM"]},
        {"note": "\ud800"},
        {"rope_theta": float("nan")},
    ]:
        with subtests.test(config=config):
            write_model(settings.models_dir / "tiny", **config)
            error = _refusal(client, "tiny")
            assert error["code"] == "model_invalid" and "config.json" in error["message"]


def test_a_config_that_is_no_json_object_is_refused(
    client: TestClient, settings: Settings, subtests: pytest.Subtests
) -> None:
    for content in [b"", b"[]", b"{", b"\xff\xfe", b"[" * 100_000]:
        with subtests.test(content=content):
            (write_model(settings.models_dir / "tiny") / "config.json").write_bytes(content)
            assert "config.json" in _refusal(client, "tiny")["message"]


def test_a_model_that_is_not_registered_is_not_found(client: TestClient) -> None:
    assert client.get(f"{MODELS}/none").status_code == 404


def _job(session: Session, name: str) -> JobRow:
    job = JobRow(id=new_id(), name=name, state="running", model="m", dataset="d", spec={}, resolved={}, created_at=1.0)
    job.train_iters = 1
    session.add(job)
    session.flush()
    return job


def test_an_export_is_registered_once_under_the_name_of_its_job(database: Database, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "export")
    with database.writing() as session:
        job = _job(session, "j" * 80)
        first = register_export(session, job, str(folder))
        assert register_export(session, job, str(folder)) is first
        assert first.name == "j" * 73 + "-" + job.id[-6:]
        assert (first.from_job, first.path) == (job.id, str(folder.resolve()))


def test_a_broken_export_is_an_error_that_names_the_file(database: Database, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "export")
    (folder / "model.safetensors").write_bytes(b"")
    with database.writing() as session, pytest.raises(ModelInvalid, match=r"model\.safetensors"):
        register_export(session, _job(session, "j"), str(folder))
