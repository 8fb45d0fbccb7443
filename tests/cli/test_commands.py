"""The commands against a service that says what it is told: output, errors as sentences, exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.client import samples
from tests.client.service import StandIn
from tunedeck.cli.main import app


def tunedeck(service: StandIn, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--url", service.url, "--token", "secret"])


@pytest.fixture
def spec_file(tmp_path: Path) -> Path:
    file = tmp_path / "spec.yaml"
    file.write_text("name: demo\nmodel: demo-base\ndataset: demo-questions\n")
    return file


def test_submit_prints_the_id_alone_on_stdout(service: StandIn, spec_file: Path) -> None:
    service.on("POST /jobs", samples.detail("j7", "queued"), status=201)
    result = tunedeck(service, "submit", str(spec_file), "--set", "optimizer.lr=1e-4")
    assert (result.exit_code, result.stdout) == (0, "j7\n")
    assert result.stderr == f"{service.url}/runs/j7\n"
    assert service.asked[0].body == samples.SPEC | {"optimizer": {"lr": 1e-4}}


@pytest.mark.parametrize(("state", "exit_code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1)])
def test_a_followed_submit_ends_with_the_fate_of_the_job(
    service: StandIn, spec_file: Path, state: str, exit_code: int
) -> None:
    fault = {"code": "out_of_memory", "message": "no memory left", "mend": "smaller batches"}
    service.on("POST /jobs", samples.detail("j7", "queued"), status=201)
    service.on("GET /jobs/j7", samples.detail("j7", "running"))
    service.streams = [samples.job_message("9", samples.job("j7", state, fault=fault if state == "failed" else None))]
    result = tunedeck(service, "submit", str(spec_file), "--follow")
    assert result.exit_code == exit_code
    assert "training   7/300  loss 1.25  15,900 tokens/s  1:30 left" in result.stdout
    assert ("no memory left\nWhat to do: smaller batches" in result.stderr) == (state == "failed")


def test_an_error_is_a_sentence_its_fields_and_a_mend(service: StandIn, spec_file: Path) -> None:
    problems = [
        {"field": "optimizer.lr", "value": -1, "message": "must be above 0", "mend": "choose 1e-5"},
        {"field": "model", "value": "x", "message": "is not registered", "mend": "register it"},
    ]
    service.on("POST /jobs", samples.fault("spec_invalid", "the spec has 2 faults", "mend them", *problems), status=422)
    result = tunedeck(service, "submit", str(spec_file))
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "Error: the spec has 2 faults",
        "  optimizer.lr = -1: must be above 0",
        "      choose 1e-5",
        "  model = 'x': is not registered",
        "      register it",
        "What to do: mend them",
    ]


def test_ls_shows_a_row_a_job_and_asks_for_the_state(service: StandIn) -> None:
    service.on(
        "GET /jobs", samples.page(samples.job("j2"), samples.job("j1", "failed", step=0, train_iters=0, latest={}))
    )
    result = tunedeck(service, "ls", "--state", "running", "--state", "failed")
    header, first, second, *wrong = result.stdout.splitlines()
    assert header.split() == ["id", "name", "state", "progress", "loss", "eta", "model", "dataset", "tags"]
    assert first.split() == ["j2", "demo", "running", "7/300", "1.25", "1:30", "demo-base", "demo-questions"]
    assert second.split()[2:5] == ["failed", "–", "–"]
    assert wrong[0] == "j2  No event since step 7."
    assert service.asked[0].query["state"] == ["running", "failed"]


def test_ls_searches_in_words_of_its_own_and_in_the_archive(service: StandIn) -> None:
    service.on("GET /jobs", samples.page(samples.job("j2", tags=["base", "night"])))
    result = tunedeck(service, "ls", "tag:base", "lr>1e-5", "--archived")
    assert result.stdout.splitlines()[1].endswith("base night")
    assert service.asked[0].query["q"] == ["tag:base lr>1e-5"]
    assert service.asked[0].query["archived"] == ["yes"]


def test_tags_and_notes_are_changed(service: StandIn, tmp_path: Path) -> None:
    service.on("POST /jobs/actions", {"results": [{"job_id": "j1", "state": "running", "error": None}]})
    assert tunedeck(service, "tag", "j1", "--add", "a", "--remove", "b").exit_code == 0
    asked = {"jobs": ["j1"], "action": {"action": "tag", "add": ["a"], "remove": ["b"]}}
    assert service.asked[0].body == asked
    assert "'two words' cannot be a tag" in tunedeck(service, "tag", "j1", "--add", "two words").stderr
    notes = {"markdown": "*hot*", "html": "<em>hot</em>", "version": 3, "edited_at": 1.0, "edited_by": "first"}
    service.on("GET /jobs/j1/notes", notes)
    service.on("PUT /jobs/j1/notes", notes)
    assert tunedeck(service, "notes", "j1").stdout == "*hot*\n"
    (tmp_path / "notes.md").write_text("new")
    tunedeck(service, "notes", "j1", "--write", str(tmp_path / "notes.md"))
    assert service.asked[-1].body == {"markdown": "new", "version": 3}


def test_ls_as_json_is_what_the_service_said(service: StandIn) -> None:
    service.on("GET /jobs", samples.page(samples.job("j2"), samples.job("j1")))
    assert json.loads(tunedeck(service, "ls", "--json", "--limit", "1").stdout) == [samples.job("j2")]


def test_show_says_what_went_wrong_and_how_it_came_there(service: StandIn) -> None:
    fault = {"code": "engine_failed", "message": "rank 1 died", "mend": "see the log", "log_tail": ["[rank1] boom"]}
    service.on("GET /jobs/j1", samples.detail(state="failed", fault=fault))
    shown = tunedeck(service, "show", "j1").stdout
    for text in ("rank 1 died", "see the log", "    [rank1] boom", "placing", "scheduler: free", "4.5 first, 1.1 best"):
        assert text in shown
    for text in (
        "31,000 of about 1,300,000, 12,000 carry loss",
        "2.50 GPU-hours, 5.00 EUR",
        "step 5,",
        "No event since step 7.",
    ):
        assert text in shown


def test_actions_say_the_new_state_of_each_job_and_why_one_was_refused(service: StandIn) -> None:
    error = samples.fault("conflict", "demo is succeeded: cancel does not apply to it", "what can be done now: clone")
    results = [
        {"job_id": "j1", "state": "stopping", "error": None},
        {"job_id": "j2", "state": None, "error": error["error"]},
    ]
    service.on("POST /jobs/actions", {"results": results})
    result = tunedeck(service, "cancel", "--no-checkpoint", "j1", "j2")
    assert (result.exit_code, result.stdout) == (1, "j1 is stopping\n")
    assert "cancel does not apply" in result.stderr
    assert service.asked[0].body == {"jobs": ["j1", "j2"], "action": {"action": "cancel", "checkpoint": False}}


@pytest.mark.parametrize(
    ("arguments", "action"),
    [
        (["pause", "j1"], {"action": "pause"}),
        (["resume", "j1"], {"action": "resume"}),
        (["retry", "j1", "--step", "400"], {"action": "retry", "step": 400, "attempt": None}),
        (["hold", "j1"], {"action": "hold"}),
        (["release", "j1"], {"action": "release"}),
        (["reprioritise", "j1", "--to", "-5"], {"action": "reprioritise", "priority": -5}),
    ],
)
def test_each_action_is_a_command(service: StandIn, arguments: list[str], action: dict[str, Any]) -> None:
    service.on("POST /jobs/actions", {"results": [{"job_id": "j1", "state": "queued", "error": None}]})
    assert tunedeck(service, *arguments).stdout == "j1 is queued\n"
    assert service.asked[0].body["action"] == action


def test_clone_sends_what_shall_be_other(service: StandIn) -> None:
    service.on("POST /jobs/j1/clone", samples.detail("j2", state="draft"), status=201)
    assert tunedeck(service, "clone", "j1", "--set", "optimizer.lr=1e-4", "--draft").stdout == "j2\n"
    assert service.asked[0].body == {"optimizer": {"lr": 1e-4}}
    assert service.asked[0].query == {"draft": ["true"]}


def test_logs_asks_for_the_last_lines(service: StandIn) -> None:
    service.on("GET /jobs/j1/logs", {"attempt": 1, "first_line": 8, "lines": ["eight", "nine"], "num_lines": 9})
    assert tunedeck(service, "logs", "j1", "-n", "2").stdout == "eight\nnine\n"
    assert service.asked[0].query == {"first_line": ["-2"], "limit": ["2"]}


def test_a_model_is_registered_by_its_absolute_path(
    service: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    service.on("POST /models", samples.fault("path_refused", "outside the roots"), status=422)
    assert tunedeck(service, "models", "add", "mine", "folder").exit_code == 1
    assert service.asked[0].body == {"name": "mine", "path": str(tmp_path / "folder")}


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        ("[1, 2]", [], "holds a list, not a spec"),
        ("a: [", [], "is neither YAML nor JSON"),
        ("name: x", ["--set", "lr"], "'lr' is no assignment"),
        ("name: x", ["--set", "name.lr=1"], "name in name.lr is a value, not a group"),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused_before_anything_is_sent(
    service: StandIn, tmp_path: Path, content: str, arguments: list[str], sentence: str
) -> None:
    file = tmp_path / "spec.yaml"
    file.write_text(content)
    result = tunedeck(service, "submit", str(file), *arguments)
    assert result.exit_code == 1 and sentence in result.stderr
    assert service.asked == []


def test_wrong_usage_has_exit_code_2(service: StandIn) -> None:
    assert tunedeck(service, "show").exit_code == 2
    assert tunedeck(service, "ls", "--state", "sleeping").exit_code == 2


def test_a_wrong_setting_names_its_variable(service: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEDECK_PORT", "many")
    result = tunedeck(service, "ls")
    assert result.exit_code == 1
    assert "TUNEDECK_PORT = 'many'" in result.stderr


def test_an_expected_error_of_the_real_program_is_no_traceback(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("tunedeck")
    ended = subprocess.run([program, "ls", "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: there is no token in {tmp_path}\nWhat to do: start the service")


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom tunedeck.cli.main import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = ('torch', 'numpy', 'fastapi', 'sqlalchemy', 'celery', 'httpx')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = CliRunner().invoke(app, ["up", "--data-dir", str(tmp_path / "file" / "data"), "--port", "0"])
    assert result.exit_code == 1
    assert "file/data cannot be made: Not a directory" in result.stderr
    assert "--data-dir" in result.stderr


def test_a_list_of_settings_that_is_no_json_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUNEDECK_MODEL_ROOTS", "/srv/models")
    result = CliRunner().invoke(app, ["ls", "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert "model_roots" in result.stderr
    assert """TUNEDECK_MODEL_ROOTS='["/srv/models"]'""" in result.stderr


def test_artifacts_are_listed_and_fetched_into_a_folder(service: StandIn, tmp_path: Path) -> None:
    trace = {"attempt": 2, "kind": "profile", "path": "profile/a b.gz", "size_bytes": 1234, "changed_at": 1.0}
    service.on("GET /jobs/j7/artifacts", {"items": [trace], "next_cursor": ""})
    service.on("GET /jobs/j7/artifacts/2/profile/a%20b.gz", "the trace")
    result = tunedeck(service, "artifacts", "j7", "--to", str(tmp_path))
    assert (result.exit_code, "1,234" in result.stdout, "profile/a b.gz" in result.stdout) == (0, True, True)
    assert (tmp_path / "2" / "profile" / "a b.gz").read_text() == "the trace"


def test_an_artifact_that_is_gone_is_told_and_leaves_no_file(service: StandIn, tmp_path: Path) -> None:
    trace = {"attempt": 2, "kind": "fp8", "path": "fp8.json", "size_bytes": 12, "changed_at": 1.0}
    service.on("GET /jobs/j7/artifacts", {"items": [trace], "next_cursor": ""})
    result = tunedeck(service, "artifacts", "j7", "--to", str(tmp_path))
    assert result.exit_code == 1
    assert "knows no GET /jobs/j7/artifacts/2/fp8.json" in result.stderr
    assert not (tmp_path / "2" / "fp8.json").exists()


def test_a_report_of_two_jobs_is_written_and_its_size_is_said(service: StandIn, tmp_path: Path) -> None:
    service.on("GET /compare/report.html", "<!doctype html>" + " " * 2_000_000)
    target = tmp_path / "new" / "two.html"
    result = tunedeck(service, "report", "j1", "j2", "-o", str(target))
    assert (result.exit_code, service.asked[-1].query) == (0, {"run": ["j1", "j2"]})
    assert "two.html: 2.0 MB" in result.stderr
    assert target.read_text().startswith("<!doctype html>")


def test_a_report_that_cannot_be_had_or_written_is_a_sentence(service: StandIn, tmp_path: Path) -> None:
    missing = tunedeck(service, "report", "j1", "-o", str(tmp_path / "one.html"))
    assert (missing.exit_code, (tmp_path / "one.html").exists()) == (1, False)
    assert "knows no GET /jobs/j1/report.html" in missing.stderr
    service.on("GET /jobs/j1/report.html", "<!doctype html>")
    folder = tunedeck(service, "report", "j1", "-o", str(tmp_path))
    assert folder.exit_code == 1
    assert "cannot be written: Is a directory" in folder.stderr


ADD_EMAIL = ("alerts", "add-email", "mail", "--host", "mail.example.org", "--to", "a@example.org")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("alerts", "add-rule", "x", "nonsense"), "'nonsense' cannot be part of a rule"),
        (("alerts", "add-rule", "x", "loss>much"), "'much' cannot be part of a rule"),
        (("alerts", "add-webhook", "two\nlines", "--address", "https://example.org/"), "cannot be part of a webhook"),
        ((*ADD_EMAIL, "--sender", "nobody"), "'nobody' cannot be part of a mail channel"),
        (("notes", "j1", "--write", "missing.md"), "missing.md cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_a_sentence(service: StandIn, arguments: tuple[str, ...], said: str) -> None:
    service.on("GET /jobs/j1/notes", {"markdown": "", "html": "", "version": 1, "edited_at": None, "edited_by": ""})
    result = tunedeck(service, *arguments)
    assert result.exit_code == 1
    assert said in result.stderr and "What to do: " in result.stderr
