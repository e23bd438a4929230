"""What is told of changes: to readers of the log, and to the world outside."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class ChangeRow(Base):
    """One visible change of a video. Written by a trigger at the commit, one transaction after the other."""

    __tablename__ = "changes"

    position: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket: Mapped[str]
    key: Mapped[str]
    state: Mapped[str]
    revision: Mapped[int] = mapped_column(BigInteger)
    progress: Mapped[float]
    eta_s: Mapped[float | None]
    attempts: Mapped[int] = mapped_column(Integer)
    reason: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class OutboxRow(Base):
    """An event. data: the facts of the moment; once routed, what is told of it."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[str] = mapped_column(UUID(as_uuid=False))
    kind: Mapped[str]
    video_id: Mapped[int] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]]
    routed: Mapped[bool] = mapped_column(server_default=text("false"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        UniqueConstraint("event_id", name="outbox_event_id"),
        Index("outbox_unrouted", "id", postgresql_where=text("NOT routed")),
        Index("outbox_created", "created_at"),
    )


class DeliveryRow(Base):
    """An event on its way to one target. status: what an endpoint answered last."""

    __tablename__ = "deliveries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    outbox_id: Mapped[int] = mapped_column(ForeignKey("outbox.id", ondelete="CASCADE"))
    target: Mapped[str]
    state: Mapped[str] = mapped_column(server_default="pending")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    status: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None]
    ended_at: Mapped[datetime | None]

    __table_args__ = (
        Index("deliveries_due", "due_at", postgresql_where=text("state = 'pending'")),
        Index("deliveries_target", "target", "id"),
        Index("deliveries_outbox", "outbox_id"),
    )
