"""How numbers read on a page, as Jinja filters. `static/js/format.js` says the same in JavaScript.

Both exist because the first paint comes from the server and every later change from the stream: a number must not
change its look when the first message arrives. A browser test feeds both with the same values. A number that is not
known is shown as an en dash, never as 0.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

UNKNOWN = "–"
_SI_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
_BYTE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")


def number(value: float | None) -> str:
    """Four significant digits: `0.8420`, `1,234`, `1.2e-5`. For losses, norms and rates."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == 0:
        return "0"
    magnitude = abs(value)
    if magnitude < 1e-3 or magnitude >= 1e9:
        return _exponential(value)
    if magnitude >= 999.95:
        return count(value)
    return format(value, "#.4g").rstrip(".")


def _exponential(value: float) -> str:
    mantissa, exponent = format(value, ".2e").split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def count(value: float | None) -> str:
    """A whole number with thousands separators: `18,420`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    return f"{math.floor(value + 0.5):,}"


def si(value: float | None) -> str:
    """Three significant digits and an SI prefix: `18.4k`, `4.02G`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    for factor, prefix in _SI_PREFIXES:
        if abs(value) >= factor:
            return f"{_three_digits(value / factor)}{prefix}"
    return count(value) if value == int(value) else _three_digits(value)


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{decimals}f}"


def size(num_bytes: float | None) -> str:
    """Bytes in binary units: `71.2 GiB`."""
    if num_bytes is None or not math.isfinite(num_bytes):
        return UNKNOWN
    value, unit = float(num_bytes), 0
    while abs(value) >= 1024 and unit < len(_BYTE_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{_three_digits(value) if unit else count(value)} {_BYTE_UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """The two largest units: `2d 3h`, `1h 12m`, `3m 20s`, `45s`."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    whole = max(0, math.floor(seconds + 0.5))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes:02d}m"
    if minutes:
        return f"{minutes}m {whole % 60:02d}s"
    return f"{whole}s"


def seconds(value: float | None) -> str:
    """A short time with its unit: `320 ms`, `1.24 s`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if abs(value) < 0.9995:
        return f"{_three_digits(value * 1000)} ms"
    return f"{_three_digits(value)} s"


def hours(value: float | None) -> str:
    """Hours of devices, as a bill has them: `< 0.01`, `0.25`, `12.4`, `1,234`. Nothing held yet is 0."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if 0 < value < 0.01:
        return "< 0.01"
    return count(value) if value >= 99.95 else _three_digits(value)


def money(value: float | None) -> str:
    """An amount to the hundredth, the currency aside: `< 0.01`, `3.20`, `1,234.50`."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if 0 < value < 0.01:
        return "< 0.01"
    return f"{math.floor(100 * value + 0.5) / 100:,.2f}"


def percent(done: float | None, total: float | None) -> str:
    """Whole percent, rounded down: 100% means that all is done."""
    return f"{math.floor(100 * share(done, total))}%"


def share(done: float | None, total: float | None) -> float:
    """`done / total` between 0 and 1; 0 where the total is not known."""
    if not done or not total:
        return 0.0
    return min(1.0, max(0.0, done / total))


def ago(unix_s: float | None) -> str:
    """How long since: `12s ago`; the page's script keeps it fresh."""
    if unix_s is None:
        return UNKNOWN
    return f"{duration(time.time() - unix_s)} ago"


def iso(unix_s: float | None) -> str:
    """For the `datetime` attribute of a time element."""
    return "" if unix_s is None else datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds")


def clock(unix_s: float | None) -> str:
    """Date and time in UTC; the page's script replaces it by the reader's own time zone."""
    return UNKNOWN if unix_s is None else datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def scene(stood: Mapping[str, Any]) -> str:
    """Where a run stood when it failed: `· step 43 · optimizer · rank 1 · 71.2 GiB of 79.1 GiB in use, at most …`."""
    parts = [
        f"step {count(stood['step'])}" if stood.get("step") else "",
        stood.get("doing", ""),
        "" if stood.get("rank") is None else f"rank {stood['rank']}",
        "" if stood.get("memory_bytes") is None else _memory(stood),
    ]
    return " ".join(f"· {part}" for part in parts if part)


def _memory(stood: Mapping[str, Any]) -> str:
    total, most = stood.get("total_memory_bytes"), stood.get("peak_memory_bytes")
    of_total = "" if total is None else f" of {size(total)}"
    at_most = "" if most is None else f", at most {size(most)}"
    return f"{size(stood['memory_bytes'])}{of_total} in use{at_most}"


def words(name: str) -> str:
    """A field's name as a label: `lr_decay_style` reads "lr decay style"."""
    return name.replace("_", " ")


def plain(value: Any) -> str:
    """A value of a spec as a person would write it."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value) if value and abs(value) < 1e-3 else f"{value:g}"
    return str(value)


def leaves(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The fields of a section with those of its parts, which are called by both names: `policy overlong`."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from ((f"{name} {inner}", each) for inner, each in leaves(value))
        else:
            yield name, value


_FACTS = ("num_training_samples", "num_dropped_rows", "num_overlong_samples", "num_ranks", "params_dtype", "fp8")


def facts_in_line(job: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The line of facts of a run's page, as label and text; static/js/run/facts.js writes it again when they change."""
    own = {"host": job["host"], "attempt": job["attempt"] if job["attempt"] > 1 else ""}
    named = own | {"model": job["model"], "data": job["dataset"]}
    told = [*named.items(), *((name, job["facts"][name]) for name in _FACTS if name in job["facts"])]
    return [(words(name.removeprefix("num_")), _fact(value)) for name, value in told if value != ""]


def _fact(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and not value.is_integer():
        return number(value)
    return count(value) if isinstance(value, int | float) else str(value)


FILTERS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        number,
        count,
        si,
        size,
        duration,
        seconds,
        hours,
        money,
        percent,
        share,
        ago,
        iso,
        clock,
        scene,
        words,
        plain,
        leaves,
        facts_in_line,
    )
}
