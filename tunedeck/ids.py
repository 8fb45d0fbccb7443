"""Identifiers that sort by the time they were made, so that a list can be paged by its primary key alone.

UUIDv4 was rejected because it does not sort, UUIDv7 and ULID because 26 to 36 letters are long for an address bar.
"""

from __future__ import annotations

import secrets
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: no i, l, o, u
_RANDOM_BITS = 48
_NUM_LETTERS = 20


def new_id() -> str:
    """20 lower-case letters and digits: 52 bits of unix time in microseconds, then 48 random bits."""
    number = (time.time_ns() // 1000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    letters = (_ALPHABET[number >> shift & 31] for shift in range(5 * (_NUM_LETTERS - 1), -1, -5))
    return "".join(letters)


def is_id(text: str) -> bool:
    """Whether `new_id` could have made it."""
    return len(text) == _NUM_LETTERS and set(text) <= set(_ALPHABET)
