"""Server and browser write the same number in the same way, so that nothing changes its look at the first message."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from frontend import filters

VALUES = (None, 0, 1, 0.5, 0.842, 1.2e-5, 9.9996e-4, 1e-3, 3e-4, 42, 59.6, 60, 999.4, 999.96, 1000, 1023, 1024, 3599.6)
LARGE = (3600, 18_420, 86_400, 999_999, 1_048_576, 7.1e7, 596_049_920, 1.38 * 2**30, 1e12, 3.5e15)


@pytest.mark.parametrize("name", ["number", "count", "si", "size", "duration", "seconds"])
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
        (filters.percent(999, 1000), "99%"),
    ],
)
def test_numbers_read_as_a_person_would_write_them(text: str, expected: str) -> None:
    assert text == expected
