"""The doctor's findings, each from facts that it is given."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.client.service import StandIn
from tunedeck import __version__, doctor
from tunedeck.cli.main import app
from tunedeck.settings import Settings
from tunedeck.up.address import Address

HEALTH = {
    "status": "ok",
    "version": __version__,
    "database": True,
    "bus": True,
    "num_hosts": 1,
    "ingest_lag_s": 0.0,
    "detail": [],
}


def serving(service: StandIn, data_dir: Path, **health: object) -> Settings:
    Address(url=service.url, pid=1).write(data_dir)
    (data_dir / "token").write_text("secret")
    service.on("GET /health", HEALTH | health)
    return Settings(data_dir=data_dir)


def test_pythons_without_megatron_wheels_are_told() -> None:
    assert [doctor.check_python(version).verdict for version in ((3, 10), (3, 11), (3, 13), (3, 14))] == [
        "fail",
        "ok",
        "ok",
        "warn",
    ]


def test_the_training_stack_of_this_environment_is_found() -> None:
    found = doctor.probe_training_stack()
    assert doctor.check_training_stack(found).verdict == "ok"
    assert found["torch"].startswith("2.13")


def test_a_missing_training_stack_names_what_failed() -> None:
    check = doctor.check_training_stack(
        {"torch error": "ModuleNotFoundError: torch", "megatron.core": "1", "transformers": "5"}
    )
    assert check.verdict == "warn" and "torch: ModuleNotFoundError" in check.finding and check.mend


def test_a_driver_without_a_gpu_build_is_told() -> None:
    assert doctor.check_devices({"torch": "2.13.0+cpu", "cuda": []}, nvidia_driver=True).verdict == "warn"
    assert doctor.check_devices({"torch": "2.13.0+cpu", "cuda": []}, nvidia_driver=False).verdict == "ok"


def test_a_gpu_without_transformer_engine_is_told_that_fp8_will_be_refused() -> None:
    check = doctor.check_transformer_engine({"cuda": ["H100"], "transformer_engine.pytorch error": "no module"})
    assert check.verdict == "warn" and "FP8 will be refused: no module" in check.finding


def test_a_data_folder_below_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert doctor.check_data_dir(tmp_path / "file" / "data").verdict == "fail"
    assert doctor.check_data_dir(tmp_path / "not" / "yet").verdict in ("ok", "warn")


def test_a_taken_port_fails_with_its_mend() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        check = doctor.check_port(Settings(port=other.getsockname()[1]))
    assert check.verdict == "fail" and "--port" in check.mend


def test_a_service_is_as_well_as_its_health_says(service: StandIn, tmp_path: Path) -> None:
    assert doctor.check_service(serving(service, tmp_path), "", "").verdict == "ok"
    sick = doctor.check_service(serving(service, tmp_path, status="degraded", detail=["the bus is away"]), "", "")
    assert sick.verdict == "fail" and "the bus is away" in sick.finding
    assert doctor.check_service(serving(service, tmp_path, version="9.9"), "", "").verdict == "warn"


def test_nobody_serving_is_a_warning_unless_an_address_was_given(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    assert doctor.check_service(settings, "", "").verdict == "warn"
    assert doctor.check_service(settings, "http://127.0.0.1:1", "token").verdict == "fail"


def test_the_exit_code_is_1_exactly_when_a_check_fails(
    service: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Importing the real one takes seconds, and a test of its own.
    monkeypatch.setattr(
        doctor, "probe_training_stack", lambda: {"torch": "2", "megatron.core": "1", "transformers": "5"}
    )
    serving(service, tmp_path)
    well = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)])
    serving(service, tmp_path, status="degraded", detail=["the bus is away"])
    sick = CliRunner().invoke(app, ["doctor", "--data-dir", str(tmp_path)])
    assert (well.exit_code, sick.exit_code) == (0, 1)
    assert any(line.startswith("fail  service") and "the bus is away" in line for line in sick.stdout.splitlines())
