"""Who is alive, and what was done about who was not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class ProbeRow(Base):
    __tablename__ = "probes"

    key: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WorkerRow(Base):
    __tablename__ = "workers"

    id: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    doing: Mapped[str]
    breaker_open: Mapped[bool]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())


class MonitorRow(Base):
    """A monitor: one a bucket and host. since: its rounds have followed each other from then on."""

    __tablename__ = "monitors"

    bucket: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(primary_key=True)
    every_s: Mapped[float]
    result: Mapped[str]
    since: Mapped[datetime]
    at: Mapped[datetime]


class RecoveryRow(Base):
    """Something that a monitor did by itself."""

    __tablename__ = "recoveries"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket: Mapped[str]
    host: Mapped[str]
    kind: Mapped[str]
    subject: Mapped[str]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())

    __table_args__ = (Index("recoveries_at", "at"),)
