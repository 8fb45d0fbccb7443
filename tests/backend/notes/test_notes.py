"""Notes of a job: kept as they were typed, shown as safe HTML, never overwritten unseen."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from backend.notes.markdown import safe_html
from tests.support.backend import SPEC

ALLOWED = set(
    "p br hr h1 h2 h3 h4 h5 h6 strong em s code pre blockquote ul ol li a table thead tbody tr th td".split()  # noqa: SIM905
)


class Seen(HTMLParser):
    """Every tag, attribute and address of a piece of HTML, read by another parser than the one that made it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [value or "" for name, value in attrs if name == "href"]


def assert_safe(markdown: str) -> None:
    seen = Seen(safe_html(markdown))
    assert seen.tags <= ALLOWED
    assert seen.attributes <= {"href", "title", "rel", "start"}
    for address in seen.addresses:
        scheme = address.partition(":")[0].strip().lower() if ":" in address.partition("/")[0] else ""
        assert scheme in ("", "http", "https", "mailto"), address


ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](vbscript:msgbox)",
    "<javascript:alert(1)>",
    '[x](http://a/ "t\\" onmouseover=alert(1) ")',
    "![x](http://stranger/pixel.png)",
    '<a href="javascript:alert(1)">x</a>',
    "<svg/onload=alert(1)>",
    "<style>body{display:none}</style>",
    '<iframe src="http://a"></iframe>',
    "<form action=http://a><input></form>",
    "```<script>\nalert(1)\n```",
    '``` " onclick=alert(1)\nx\n```',
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    "[a]: javascript:alert(1)\n\n[a]",
    "|<script>|a|\n|-|-|\n|<img onerror=x>|b|",
]


@pytest.mark.parametrize("markdown", ATTACKS)
def test_nothing_that_runs_or_fetches_survives(markdown: str) -> None:
    assert_safe(markdown)


@given(st.lists(st.sampled_from([*ATTACKS, "**", "`", "\n", "\n\n", "<", ">", '"', "&lt;", "](", "[", "- ", "    "])))
def test_no_mixture_of_attacks_survives(parts: list[str]) -> None:
    assert_safe("".join(parts))


def test_markdown_reads_as_it_was_meant() -> None:
    html = safe_html("# Why\n\nWe *doubled* the `lr`; see [the paper](https://example.org/a).\n\n|a|b|\n|-|-|\n|1|2|\n")
    assert "<h1>Why</h1>" in html
    assert "<em>doubled</em> the <code>lr</code>" in html
    assert '<a href="https://example.org/a" rel="noopener noreferrer nofollow">the paper</a>' in html
    assert "<td>2</td>" in html


@pytest.mark.any_database
def test_notes_are_kept_as_typed_and_never_overwritten_unseen(stocked: TestClient) -> None:
    job_id = stocked.post("/api/v1/jobs", json=SPEC).json()["id"]
    address = f"/api/v1/jobs/{job_id}/notes"
    assert stocked.get(address).json() == {"markdown": "", "html": "", "version": 0, "edited_at": None, "edited_by": ""}
    first = stocked.put(address, json={"markdown": "  *a*\n", "version": 0}).json()
    assert (first["markdown"], first["html"], first["version"]) == ("  *a*\n", "<p><em>a</em></p>\n", 1)
    assert first["edited_by"] == "first", "the name of the token"
    assert stocked.put(address, json={"markdown": "  *a*\n", "version": 0}).json() == first, "sent twice"
    lost = stocked.put(address, json={"markdown": "mine", "version": 0})
    assert lost.status_code == 409
    assert stocked.get(address).json() == first
    assert stocked.put(address, json={"markdown": "both", "version": 1}).json()["version"] == 2
    detail = stocked.get(f"/api/v1/jobs/{job_id}").json()
    assert detail["transitions"][-1]["why"] == "notes changed"
    assert stocked.get("/api/v1/jobs/nosuch/notes").status_code == 404
