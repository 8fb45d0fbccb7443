"""Filters that only the server has; those that JavaScript has too are compared in tests/browser/test_formats.py."""

from __future__ import annotations

from frontend.filters import leaves


def test_the_parts_of_a_section_become_fields_of_their_own() -> None:
    data = {"name": "chats", "reading": {"roles": {}, "policy": {"overlong": "keep"}, "max_tokens": None}, "rows": 40}
    assert list(leaves(data)) == [
        ("name", "chats"),
        ("reading policy overlong", "keep"),
        ("reading max_tokens", None),
        ("rows", 40),
    ]
