"""Hashing of tokens and session secrets. They are 256 random bits, so a slow password hash would add nothing."""

from __future__ import annotations

import hashlib


def sha256_of(secret: str) -> str:
    """Hex, 64 characters. Only hashes are stored and looked up, so a look-up's time tells nothing about the secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
