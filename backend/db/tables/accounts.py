"""Who may use the service."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base


class TokenRow(Base):
    """A bearer token; only its SHA-256 is kept (tokens are 256 random bits, so a slow hash adds nothing)."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float]


class SessionRow(Base):
    """A browser's login; the cookie holds the secret, the table its SHA-256."""

    __tablename__ = "sessions"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    token_id: Mapped[str] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"))
    created_at: Mapped[float]
    expires_at: Mapped[float]
