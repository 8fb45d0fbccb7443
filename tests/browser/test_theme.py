"""The colours of tokens.css: WCAG 2.2 contrast, light and dark, worked out from the file itself."""

from __future__ import annotations

import re

import pytest

from frontend import STATIC_DIR

TEXT = ("text", "text-2", "accent", "neutral", "running", "succeeded", "attention", "failed")
TEXT_ON_SOFT = ("running", "succeeded", "attention", "failed", "neutral", "accent")
LINES = ("outline", *(f"series-{number}" for number in range(1, 9)))
OKABE_ITO = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442"}
# Too light to be seen on white; there the same hues are darker.
DARKENED = {"#e69f00": "#b87f00", "#56b4e9": "#2a8fc9", "#f0e442": "#9a8f00"}


def colours(theme: str) -> dict[str, str]:
    light, dark = (STATIC_DIR / "css" / "tokens.css").read_text().split("@media (prefers-color-scheme: dark)")
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", light))
    return found if theme == "light" else found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", dark))


def luminance(colour: str) -> float:
    """https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    darker, lighter = sorted((luminance(first), luminance(second)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_reads_on_every_ground(theme: str) -> None:
    known = colours(theme)
    pairs = [(name, ground) for name in TEXT for ground in ("ground", "surface")]
    pairs += [(name, f"{name}-soft") for name in TEXT_ON_SOFT]
    pairs += [("on-accent", "accent"), ("text-2", "sunken"), ("text", "sunken"), ("text-2", "accent-soft")]
    weak = {pair: contrast(known[pair[0]], known[pair[1]]) for pair in pairs}
    assert {pair: round(value, 2) for pair, value in weak.items() if value < 4.5} == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_that_carry_meaning_are_seen(theme: str) -> None:
    known = colours(theme)
    weak = {name: contrast(known[name], known["surface"]) for name in LINES}
    assert {name: round(value, 2) for name, value in weak.items() if value < 3} == {}


def test_okabe_ito_is_complete_in_both_themes() -> None:
    palettes = {theme: {colours(theme)[f"series-{number}"] for number in range(1, 9)} for theme in ("light", "dark")}
    assert palettes["dark"] > OKABE_ITO
    assert palettes["light"] > {DARKENED.get(colour, colour) for colour in OKABE_ITO}
