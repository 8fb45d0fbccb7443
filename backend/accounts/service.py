"""Who is logged in: a bearer token for programs, a session cookie for browsers.

Passwords and user names were rejected for now: a deployment has one token, and a second user is a second token.
"""

from __future__ import annotations

import secrets
import time

from backend.accounts import queries
from backend.accounts.secret import sha256_of
from backend.db.database import Database
from backend.db.tables.accounts import SessionRow
from tunedeck.errors import LoginRequired

SESSION_COOKIE = "tunedeck_session"
SESSION_LIFETIME_S = 30 * 24 * 3600
REMEMBERED_S = 1.0
_MEND = "open the link that `tunedeck up` printed, or send `Authorization: Bearer TOKEN`"


class RecentLogins:
    """Remembers for a moment which bearer tokens are valid: who sends a hundred requests a second is looked up once.

    Tokens change only when a backend starts. Cookies are always looked up, since a logout must hold at once.
    """

    def __init__(self) -> None:
        self._names: dict[str, tuple[str, float]] = {}

    def name_of(self, authorization: str) -> str:
        """The token's name, "" where it has to be looked up."""
        name, until = self._names.get(authorization, ("", 0.0))
        return name if time.monotonic() < until else ""

    def remember(self, authorization: str, name: str) -> None:
        now = time.monotonic()
        self._names = {key: known for key, known in self._names.items() if now < known[1]}
        self._names[authorization] = (name, now + REMEMBERED_S)


def require_login(database: Database, authorization: str, cookie: str, now: float) -> str:
    """The name of the token that the header or the cookie proves a login with; a wrong token is not saved by a cookie.
    Raises LoginRequired."""
    if not authorization and not cookie:
        raise LoginRequired("this needs a login", _MEND)
    with database.reading() as session:
        if authorization:
            token = queries.token_hashed(session, sha256_of(_bearer(authorization)))
        else:
            token = queries.token_of_session(session, sha256_of(cookie), now)
    if token is None:
        raise LoginRequired("the token or login is not valid (any more)", _MEND)
    return token.name


def log_in(database: Database, token: str, now: float) -> str:
    """The secret of a new session. Raises LoginRequired for a wrong token."""
    with database.writing() as session:
        stored = queries.token_hashed(session, sha256_of(token.strip()))
        if stored is None:
            raise LoginRequired("this token is not valid", "copy it from the file `token` in the data folder")
        queries.delete_expired_sessions(session, now)
        secret = secrets.token_urlsafe(32)
        expires_at = now + SESSION_LIFETIME_S
        session.add(SessionRow(sha256=sha256_of(secret), token_id=stored.id, created_at=now, expires_at=expires_at))
    return secret


def log_out(database: Database, cookie: str) -> None:
    with database.writing() as session:
        queries.delete_session(session, sha256_of(cookie))


def local_path(wanted: str) -> str:
    """`wanted` if it is a path on this host, else "/". Browsers read `//x` and `/\\x` as another host."""
    is_local = wanted.startswith("/") and not wanted.startswith(("//", "/\\")) and wanted.isprintable()
    return wanted if is_local else "/"


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
