"""What the documents tell a newcomer to type is true."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
import yaml

from tunedeck.presets import apply_preset
from tunedeck.spec import JobSpec

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))


def test_the_spec_in_the_documents_is_a_job_spec() -> None:
    found = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "using.md").read_text(), re.DOTALL)
    assert found
    for text in found:
        JobSpec.model_validate(apply_preset(yaml.safe_load(text)))


def test_every_field_of_a_spec_is_described_as_the_spec_says_it() -> None:
    script = REPOSITORY / "scripts" / "describe_fields.py"
    written = (REPOSITORY / "docs" / "fields.md").read_text()
    assert written == runpy.run_path(str(script))["page"](), f"write it anew: python {script} > docs/fields.md"


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_inside_the_repository_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\((?!http)([^)#]+)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []
