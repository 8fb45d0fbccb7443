"""SQL of tokens and sessions."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from backend.db.tables import SessionRow, TokenRow


def token_named(session: Session, name: str) -> TokenRow | None:
    return session.scalar(select(TokenRow).where(TokenRow.name == name))


def token_hashed(session: Session, sha256: str) -> TokenRow | None:
    return session.scalar(select(TokenRow).where(TokenRow.sha256 == sha256))


def is_live_session(session: Session, sha256: str, now: float) -> bool:
    query = select(SessionRow.sha256).where(SessionRow.sha256 == sha256, SessionRow.expires_at > now)
    return session.scalar(query) is not None


def delete_session(session: Session, sha256: str) -> None:
    session.execute(delete(SessionRow).where(SessionRow.sha256 == sha256))


def delete_expired_sessions(session: Session, now: float) -> None:
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
