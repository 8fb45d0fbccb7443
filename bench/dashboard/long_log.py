"""A log of a million lines: opened, searched, its last error found, scrolled, and followed while lines still come.

Goals are ours, since the peers show no such log: each of these within a second, and no task of the page over 100 ms.
"""

from __future__ import annotations

import time

from playwright.sync_api import Page, expect
from sqlalchemy import insert

from backend.db.database import Database
from backend.db.tables.jobs import AttemptRow
from backend.db.tables.run_files import LogChunkRow
from bench.dashboard import stock
from bench.dashboard.browser import logged_in
from bench.dashboard.row import Row
from bench.queue.service import Service, service
from tunedeck.bus import EVENTS_STREAM, LogMessage

NUM_LINES = 1_000_000
LINES_PER_CHUNK = 500
# Far from both ends, so that the whole log has to be looked through.
ERROR_AT = 123_457
GOAL_S = 1.0
GOAL_TASK_MS = 100.0
NUM_BURSTS = 20
SCROLL = "(share) => { const log = document.querySelector('#log'); log.scrollTop = share * log.scrollHeight; }"


def measure() -> Row:
    with service("sqlite", lease_s=stock.LEASE_S) as made:
        database = Database(made.settings.resolved_database_url())
        job_id = stock.add_run(database, "talks", {"loss": stock.curve(1_000, seed=1)}, is_live=True)
        _write_log(database, job_id)
        database.close()
        made.start_backend()
        with logged_in(made.url, made.token) as context:
            ours = _looked_at(context.new_page(), made, job_id)
    goal = {name: GOAL_S for name in ours if name.endswith("_s")} | {"longest_task_ms": GOAL_TASK_MS}
    return Row(f"a log of {NUM_LINES:,} lines", ours, goal, "search_s")


def _write_log(database: Database, job_id: str) -> None:
    with database.writing() as session:
        for first in range(1, NUM_LINES + 1, LINES_PER_CHUNK):
            text = "\n".join(_line(number) for number in range(first, first + LINES_PER_CHUNK))
            row = {"job_id": job_id, "attempt": 1, "first_line": first, "num_lines": LINES_PER_CHUNK, "text": text}
            session.execute(insert(LogChunkRow), [row])
        session.get_one(AttemptRow, (job_id, 1)).ingested_line = NUM_LINES


def _line(number: int) -> str:
    if number == ERROR_AT:
        return f"[rank 1] ConnectionResetError: needle of step {number}"
    return f"[rank {number % 2}] step {number}/2000000 | loss 0.8412 | grad norm 1.201 | 18,420 tokens/s"


def _looked_at(page: Page, made: Service, job_id: str) -> dict[str, float]:
    lines = page.locator("#log-lines li")
    took: dict[str, float] = {}
    page.goto("/runs")
    began = time.monotonic()
    # A reader waits for the lines, not for what the page fetches ahead for other tabs.
    page.goto(f"/runs/{job_id}#logs", wait_until="commit")
    expect(lines.last).to_contain_text(f"step {NUM_LINES}/")
    took["open_s"] = time.monotonic() - began
    page.evaluate("() => { window.tasks = []; }")
    began = time.monotonic()
    page.click("#log-error")
    expect(page.locator(f"#log-lines li[value='{ERROR_AT}']")).to_be_in_viewport()
    took["last_error_s"] = time.monotonic() - began
    began = time.monotonic()
    page.fill("#log-search", "NEEDLE of step")
    expect(lines).to_have_count(1)
    took["search_s"] = time.monotonic() - began
    page.fill("#log-search", "")
    expect(page.locator("#log-note")).to_have_text(f"{NUM_LINES:,} lines")
    page.click("#follow")
    took["scroll_s"] = _scrolled(page)
    took["follow_s"] = _followed(page, made, job_id)
    took["longest_task_ms"] = max(page.evaluate("() => window.tasks"), default=0.0)
    return took


def _scrolled(page: Page) -> float:
    """The longest of several jumps to places that were not looked at yet."""
    taken = []
    for share in (0.1, 0.5, 0.9, 0.3, 0.7):
        began = time.monotonic()
        page.evaluate(SCROLL, share)
        expect(page.locator(f"#log-lines li[value='{round(share * NUM_LINES)}']")).to_contain_text("step")
        taken.append(time.monotonic() - began)
    return max(taken)


def _followed(page: Page, made: Service, job_id: str) -> float:
    """The longest that lines which come in bursts of a hundred take to be seen at the end."""
    page.click("#follow")
    bus, taken = made.bus(), []
    for burst in range(NUM_BURSTS):
        first = NUM_LINES + 1 + 100 * burst
        said = tuple(_line(number) for number in range(first, first + 100))
        began = time.monotonic()
        bus.xadd(EVENTS_STREAM, {"m": _log(job_id, first, said).model_dump_json()})
        expect(page.locator("#log-lines li").last).to_have_text(said[-1])
        taken.append(time.monotonic() - began)
    return max(taken)


def _log(job_id: str, first: int, lines: tuple[str, ...]) -> LogMessage:
    return LogMessage(job_id=job_id, attempt=1, first_line=first, lines=lines)
