"""What channels have broadcast."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, func, text
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class RecordingRow(Base):
    """A stretch of a channel, recorded by one process. Stream time 0 is `started_at`."""

    __tablename__ = "recordings"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket: Mapped[str]
    channel: Mapped[str]
    source: Mapped[str]  # without credentials
    state: Mapped[str]
    note: Mapped[str | None]  # what is wrong now, or why it ended
    host: Mapped[str]
    pid: Mapped[int] = mapped_column(Integer)
    boot: Mapped[str]
    process_started: Mapped[int] = mapped_column(BigInteger)
    spool: Mapped[str]  # where its process keeps what is not uploaded yet
    heartbeat_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    ended_at: Mapped[datetime | None]
    duration_s: Mapped[float] = mapped_column(server_default="0")
    restarts: Mapped[int] = mapped_column(Integer, server_default="0")
    joined_key: Mapped[str | None]

    __table_args__ = (
        Index("recordings_running", "heartbeat_at", postgresql_where=text("state = 'running'")),
        Index("recordings_channel", "bucket", "channel", "id"),
        Index("recordings_joined", "bucket", "joined_key", postgresql_where=text("joined_key IS NOT NULL")),
    )


class RecordingSegmentRow(Base):
    """A piece: the video under `key`. Without `uploaded_at` it is still in the spool."""

    __tablename__ = "recording_segments"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    key: Mapped[str]
    start_s: Mapped[float]
    end_s: Mapped[float]
    frames: Mapped[int] = mapped_column(Integer)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    uploaded_at: Mapped[datetime | None]

    __table_args__ = (Index("recording_segments_key", "key"),)


class RecordingGapRow(Base):
    """The source delivered nothing for this stretch of stream time."""

    __tablename__ = "recording_gaps"

    recording_id: Mapped[int] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    start_s: Mapped[float]
    end_s: Mapped[float]
    reason: Mapped[str]
