"""SQL of tokens and sessions."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.db.tables.accounts import SessionRow, TokenRow


def token_named(session: Session, name: str) -> TokenRow | None:
    return session.scalar(select(TokenRow).where(TokenRow.name == name))


def token_hashed(session: Session, sha256: str) -> TokenRow | None:
    return session.scalar(select(TokenRow).where(TokenRow.sha256 == sha256))


def token_of_session(session: Session, sha256: str, now: float) -> TokenRow | None:
    """The token that a login was made with, None where the login is unknown or has run out."""
    query = select(TokenRow).join(SessionRow, SessionRow.token_id == TokenRow.id)
    return session.scalar(query.where(SessionRow.sha256 == sha256, SessionRow.expires_at > now))


def delete_session(session: Session, sha256: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.sha256 == sha256))


def delete_expired_sessions(session: Session, now: float) -> None:
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
