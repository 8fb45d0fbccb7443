"""The order in which the suite runs: the files with the longest tests first, so that no process ends alone with one."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Stable: within a file, and among the files of each kind, the order stays."""
    long_files = {item.path for item in items if item.get_closest_marker("slow") or item.get_closest_marker("stack")}
    items.sort(key=lambda item: item.path not in long_files)
