"""What lies under a key now, the job of inspecting it, and its attempts."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import CLAIMABLE, Base


class VideoRow(Base):
    __tablename__ = "videos"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    bucket: Mapped[str]
    key: Mapped[str] = mapped_column(Text(collation="C"))  # S3 lists keys in the order of their bytes
    name: Mapped[str]  # the key's last part, for look-ups by file name

    # the object, as last seen
    etag: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    last_modified: Mapped[datetime]
    version_id: Mapped[str | None]
    sequencer: Mapped[str | None]
    content_id: Mapped[int | None] = mapped_column(ForeignKey("contents.id", ondelete="SET NULL"))

    # the job
    state: Mapped[str]
    reason: Mapped[str | None]
    error: Mapped[str | None]
    priority: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    #: queued: may be claimed from then on; processing: the lease ends then
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    lease_token: Mapped[str | None] = mapped_column(UUID(as_uuid=False))
    worker_id: Mapped[str | None]
    progress: Mapped[float] = mapped_column(server_default="0")
    eta_s: Mapped[float | None]
    missed_at: Mapped[datetime | None]  # a sweep did not find the object in the listing
    dead_lettered: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    queued_at: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revision: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (
        UniqueConstraint("bucket", "key", name="videos_bucket_key"),
        Index("videos_bucket_name", "bucket", "name"),
        Index("videos_content", "content_id"),
        Index("videos_state", "bucket", "state", "id"),
        Index("videos_finished", "bucket", "finished_at"),
        Index("videos_missed", "bucket", postgresql_where=text("missed_at IS NOT NULL")),
        Index("videos_due", "priority", "due_at", postgresql_where=text(CLAIMABLE)),
        Index("videos_leased", "due_at", postgresql_where=text("state = 'processing'")),
        Index(
            "videos_undelivered", "id",
            postgresql_where=text("state = 'failed' AND NOT dead_lettered"),
        ),
    )  # fmt: skip


class AttemptRow(Base):
    """One attempt at a job, and how it ended. A trigger writes it; the last 50 of a video stay."""

    __tablename__ = "attempts"

    token: Mapped[str] = mapped_column(UUID(as_uuid=False), primary_key=True)  # of its lease
    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"))
    number: Mapped[int] = mapped_column(Integer)
    worker_id: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    reason: Mapped[str | None]

    __table_args__ = (Index("attempts_video", "video_id", "started_at"),)


class CheckpointRow(Base):
    """What was done between two checkpoints of a job. A trigger deletes them with the job they belong to."""

    __tablename__ = "checkpoints"

    video_id: Mapped[int] = mapped_column(ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)  # from 0, without gaps
    sha256: Mapped[bytes]
    plan: Mapped[bytes]  # what else the work depends on, hashed
    progress: Mapped[float]
    grown: Mapped[bytes]  # what was added since the one before
    state: Mapped[bytes | None]  # of the newest one only: all that the work goes on from

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
