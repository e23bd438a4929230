"""How videos come: requests that may be sent again, uploads in parts, watched folders."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, Integer, func
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class IdempotencyRow(Base):
    """A request with an idempotency key. Without `status` it is not answered yet."""

    __tablename__ = "idempotency"

    caller: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(UUID(as_uuid=False))
    request_hash: Mapped[bytes]
    status: Mapped[int | None] = mapped_column(Integer)
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]
    expires_at: Mapped[datetime]

    __table_args__ = (Index("idempotency_expires", "expires_at"),)


class UploadRow(Base):
    """An upload in parts. upload_id: S3's own name of it."""

    __tablename__ = "uploads"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket: Mapped[str]
    key: Mapped[str]
    upload_id: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    part_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime]

    __table_args__ = (Index("uploads_expires", "expires_at"),)


class WatchedFileRow(Base):
    """A file of a watched folder that was uploaded, as it looked then."""

    __tablename__ = "watched_files"

    bucket: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    uploaded_at: Mapped[datetime] = mapped_column(server_default=func.now())
