"""What is to be looked at though nobody uploaded it: sweeps, backfills, older algorithms."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Integer, Text, func, text
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class SweepRow(Base):
    """The state of the bucket's sweep: one row a bucket."""

    __tablename__ = "sweeps"

    bucket: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[str] = mapped_column(Text(collation="C"), server_default="")  # the last key compared
    blocked: Mapped[str | None]  # why removals wait for a confirmation
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class BackfillRow(Base):
    """A look at what has long been there; one row for each place it was asked to look at."""

    __tablename__ = "backfills"

    bucket: Mapped[str] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[str] = mapped_column(server_default="")  # what its source calls the place it has come to
    total: Mapped[int | None] = mapped_column(BigInteger)
    looked_at: Mapped[int] = mapped_column(BigInteger, server_default="0")
    queued: Mapped[int] = mapped_column(BigInteger, server_default="0")
    forbidden: Mapped[int] = mapped_column(BigInteger, server_default="0")
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]


class ReindexRow(Base):
    """The wish that all contents be brought up to date with an algorithm."""

    __tablename__ = "reindexes"

    algorithm: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    total: Mapped[int] = mapped_column(BigInteger)  # contents that were outdated when it began
    cancelled: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ReindexFaultRow(Base):
    """A content that could not be brought up to date."""

    __tablename__ = "reindex_faults"

    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)
    attempts: Mapped[int] = mapped_column(Integer)
    error: Mapped[str]
    due_at: Mapped[datetime]
