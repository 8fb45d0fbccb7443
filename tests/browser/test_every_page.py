"""Every page in both themes, from a telephone to a very wide screen: readable by everybody, steady, and on its own.

axe-core judges by the rules of WCAG 2.2 AA. Each page is visited once for all of these tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.conftest import SCREENS as PICTURES
from tests.browser.conftest import faults_of
from tests.browser.scripted_worker import ScriptedAttempt, ScriptedWorker
from tests.browser.service import BusAndBackend

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Told of each fault: the rule, and the first of its elements with what is wrong with them.
JUDGE = """async (rules) => {
    const { violations } = await axe.run(document, { runOnly: rules, resultTypes: ["violations"] });
    const grave = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    const told = ({ html, any }) => `${html.slice(0, 200)} (${any[0]?.message})`;
    return grave.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(told).join(" | ")}`);
}"""
# Cumulative layout shift, as Chromium counts it from the first paint on.
WATCH_SHIFTS = """
    window.shift = 0;
    new PerformanceObserver((list) => {
        for (const { value, hadRecentInput } of list.getEntries()) if (!hadRecentInput) window.shift += value;
    }).observe({ type: "layout-shift", buffered: true });
"""
# Chromium calls so much good.
MOST_SHIFT = 0.1
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
CHARTS_ARE_DRAWN = "() => document.querySelector('#chart-loss .plot').data"
# Widths and themes; of those that are WITH_TABS every tab is looked at, too.
SCREENS = ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"), (2560, "light"))
WITH_TABS = ((1440, "light"), (390, "dark"))


@dataclass
class Visits:
    """What was found, each fault with its address."""

    inaccessible: list[str]
    console: list[str]
    asked: set[str]
    shifts: dict[str, float]
    overflows: dict[str, int]


@pytest.fixture(scope="module")
def job_id(service: BusAndBackend, worker: ScriptedWorker) -> str:
    spec = {"name": "seen-on-every-page", "model": "tiny", "dataset": "chats"}
    with service.client() as client:
        run = ScriptedAttempt(worker, client, client.submit(spec | {"batching": {"global_batch_size": 4}}).id)
        run.begin(300, num_ranks=2)
        run.steps(40)
        run.validate()
        run.checkpoint()
        run.log(["[rank 0] UserWarning: a default changes", "[rank 1] an Error"])
    return run.job_id


@pytest.fixture(scope="module", params=SCREENS, ids=lambda screen: f"{screen[0]}-{screen[1]}")
def visits(request: pytest.FixtureRequest, chromium: Browser, service: BusAndBackend, job_id: str) -> Iterator[Visits]:
    width, theme = request.param
    context = chromium.new_context(
        base_url=service.url,
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        is_mobile=width < 720,
        reduced_motion="reduce",  # what fades in is judged by the colours that it ends with
    )
    context.add_init_script(WATCH_SHIFTS)
    yield visit_all(context, service, job_id, is_wide=width == 2560, has_tabs=(width, theme) in WITH_TABS)
    context.close()


def visit_all(context: BrowserContext, service: BusAndBackend, job_id: str, *, is_wide: bool, has_tabs: bool) -> Visits:
    page = context.new_page()
    found = Visits([], [], set(), {}, {})
    page.on("request", lambda request: found.asked.add(request.url))

    def look(address: str, view: str = "") -> None:
        if not is_wide:
            found.inaccessible += [f"{address} {view}: {fault}" for fault in inaccessible(page)]

    page.goto("/login")
    look("/login")
    page.goto(f"/login?token={service.token}&next=/cluster")
    found.console = faults_of(page)
    for place, address in enumerate(addresses(job_id)):
        page.goto(address)
        wait_until_shown(page, address)
        found.shifts[address] = page.evaluate("() => window.shift")
        found.overflows[address] = page.evaluate(OVERFLOW)
        look(address)
        if is_wide:
            name = address.strip("/").partition("?")[0].replace(job_id, "run").replace("/", "-")
            page.screenshot(path=PICTURES / f"wide-{place:02d}-{name}-2560-light.png")
        tabs = page.locator("[role=tab]:visible")
        for number in range(1, tabs.count() if has_tabs else 0):
            tabs.nth(number).click()
            look(address, tabs.nth(number).inner_text())
    return found


def addresses(job_id: str) -> list[str]:
    return [
        "/runs",
        "/runs?q=nothing-is-called-so",
        f"/runs/{job_id}",
        f"/new?from={job_id}",
        "/data",
        "/data/chats?row=2#tokens",
        f"/compare?run={job_id}",
        "/compare",
        "/models",
        "/cluster",
        "/settings",
    ]


def wait_until_shown(page: Page, address: str) -> None:
    if address.startswith(("/runs/", "/compare?")):
        page.wait_for_function(CHARTS_ARE_DRAWN)
    if address == "/settings":
        expect(page.locator("#rules")).to_be_visible()
    if address.startswith("/new"):
        expect(page.locator("#verdict")).to_have_text("Ready to start")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def inaccessible(page: Page) -> list[str]:
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    told: list[str] = page.evaluate(JUDGE, RULES)
    return told


def test_axe_finds_nothing_serious_on_any_page(visits: Visits) -> None:
    assert visits.inaccessible == [], "\n".join(visits.inaccessible)


def test_nothing_jumps_while_a_page_loads(visits: Visits) -> None:
    assert {address: shift for address, shift in visits.shifts.items() if shift > MOST_SHIFT} == {}


def test_no_page_is_wider_than_its_window(visits: Visits) -> None:
    assert {address: width for address, width in visits.overflows.items() if width > 0} == {}


def test_no_request_leaves_the_service(visits: Visits, service: BusAndBackend) -> None:
    urls = [urlsplit(url) for url in visits.asked]
    assert {url.netloc for url in urls if url.scheme not in ("data", "blob")} == {urlsplit(service.url).netloc}


def test_no_page_writes_an_error_to_the_console(visits: Visits) -> None:
    assert visits.console == []


def test_a_run_is_found_opened_and_left_without_a_mouse(page: Page, job_id: str) -> None:
    page.goto("/runs")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("/")
    page.keyboard.type("seen-on-every-page")
    page.wait_for_url("**q=seen-on-every-page*")
    expect(page.locator("#runs tr")).to_have_count(1)
    page.locator("#search").evaluate("(search) => search.blur()")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/runs/{job_id}")
    page.wait_for_function(CHARTS_ARE_DRAWN)
    page.focus("#tab-charts")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#panel-logs")).to_be_visible()
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    assert inaccessible(page) == []
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()


def test_whatever_has_the_focus_is_seen_to_have_it(page: Page, job_id: str) -> None:
    page.goto(f"/runs/{job_id}")
    page.wait_for_function(CHARTS_ARE_DRAWN)
    unseen: list[str] = []
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, has_outline = page.evaluate(
            """() => {
                const element = document.activeElement;
                const { outlineStyle, outlineWidth } = getComputedStyle(element);
                return [element.outerHTML.slice(0, 80), outlineStyle !== "none" && parseFloat(outlineWidth) >= 1];
            }"""
        )
        reached.add(name)
        if not has_outline and not name.startswith("<body"):
            unseen.append(name)
    assert len(reached) > 30
    assert unseen == []
