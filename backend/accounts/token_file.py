"""The first token: made at the first start, kept in a file that only its owner reads.

The file is the truth and the database holds its hash: whoever loses the database keeps the token, and whoever writes
another token into the file has changed it at the next start, which also ends every login made with the old one.
"""

from __future__ import annotations

from pathlib import Path

from backend.accounts import queries
from backend.accounts.secret import sha256_of
from backend.db.database import Database
from backend.db.tables.accounts import TokenRow
from tunedeck.ids import new_id
from tunedeck.secret_file import read_or_make

FIRST_TOKEN = "first"


def ensure_token(file: Path, database: Database, now: float) -> str:
    """The deployment's token, made if `file` is missing or empty; its hash is stored."""
    token = read_or_make(file)
    with database.writing() as session:
        stored = queries.token_named(session, FIRST_TOKEN)
        if stored is not None and stored.sha256 == sha256_of(token):
            return token
        if stored is not None:
            session.delete(stored)
            session.flush()
        session.add(TokenRow(id=new_id(), name=FIRST_TOKEN, sha256=sha256_of(token), created_at=now))
    return token
