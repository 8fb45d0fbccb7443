"""Server and browser write the same number in the same way, so that nothing changes its look at the first message."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from frontend import filters

VALUES = (None, 0, 1, 0.5, 0.842, 1.2e-5, 9.9996e-4, 1e-3, 3e-4, 42, 59.6, 60, 999.4, 999.96, 1000, 1023, 1024, 3599.6)
LARGE = (3600, 18_420, 86_400, 999_999, 1_048_576, 7.1e7, 596_049_920, 1.38 * 2**30, 1e12, 3.5e15)


@pytest.mark.parametrize("name", ["number", "count", "si", "size", "duration", "seconds", "hours", "money"])
def test_filters_and_script_agree(page: Page, name: str) -> None:
    page.goto("/runs")
    values = [*VALUES, *LARGE, *(-value for value in LARGE)]
    written = page.evaluate(
        """async ([name, values]) => {
            const source = document.querySelector('script[type="module"]').src;
            const { FORMATS } = await import(new URL("../format.js", source));
            return values.map((value) => FORMATS[name](value));
        }""",
        [name, values],
    )
    assert written == [filters.FILTERS[name](value) for value in values]


def test_the_scene_of_a_fault_reads_the_same_from_both(page: Page) -> None:
    page.goto("/runs")
    known = {"step": 1043, "doing": "optimizer", "rank": 1, "memory_bytes": 7.1e10, "peak_memory_bytes": 8e10}
    unknown = {"step": None, "doing": "", "rank": None, "memory_bytes": None, "peak_memory_bytes": None}
    stood = [{**known, "total_memory_bytes": 8.5e10}, {**known, "total_memory_bytes": None}, {**known, **unknown}]
    written = page.evaluate(
        """async (stood) => {
            const source = document.querySelector('script[type="module"]').src;
            const { FORMATS } = await import(new URL("../format.js", source));
            return stood.map(FORMATS.scene);
        }""",
        stood,
    )
    assert written == [filters.scene(place) for place in stood]
    assert written[0] == "· step 1,043 · optimizer · rank 1 · 66.1 GiB of 79.2 GiB in use, at most 74.5 GiB"
    assert written[2] == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (filters.number(0.842), "0.8420"),
        (filters.number(1.2e-5), "1.2e-5"),
        (filters.number(None), "–"),
        (filters.si(18_420), "18.4k"),
        (filters.size(1.38 * 2**30), "1.38 GiB"),
        (filters.duration(4_330), "1h 12m"),
        (filters.seconds(0.32), "320 ms"),
        (filters.hours(0.002096), "< 0.01"),
        (filters.hours(0.25), "0.25"),
        (filters.hours(12.44), "12.4"),
        (filters.hours(1_234.4), "1,234"),
        (filters.money(0.002096), "< 0.01"),
        (filters.money(0), "0.00"),
        (filters.money(1_234.5), "1,234.50"),
        (filters.percent(999, 1000), "99%"),
    ],
)
def test_numbers_read_as_a_person_would_write_them(text: str, expected: str) -> None:
    assert text == expected
