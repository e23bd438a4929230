"""Sequences of bytes: what was seen in them, the index, and what they share."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    SmallInteger,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class ContentRow(Base):
    """A content and its fingerprint. Without `algorithm` it is known by its bytes only."""

    __tablename__ = "contents"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    library: Mapped[int] = mapped_column(SmallInteger)
    sha256: Mapped[bytes]
    media: Mapped[dict[str, Any]]
    essence: Mapped[bytes | None]  # the same for the same streams in other containers
    packet_times_ms: Mapped[list[int] | None] = mapped_column(ARRAY(Integer()))

    algorithm: Mapped[int]
    duration_s: Mapped[float]
    truncated: Mapped[bool]
    cuts_s: Mapped[list[float]] = mapped_column(ARRAY(Double()))
    samples: Mapped[bytes]  # frames and sound, packed by `store.contents`
    searched: Mapped[bool] = mapped_column(server_default=text("false"))  # matches are complete

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revision: Mapped[int] = mapped_column(BigInteger, server_default="0")

    __table_args__ = (
        UniqueConstraint("library", "sha256", name="contents_library_sha256"),
        Index("contents_essence", "essence", "library", postgresql_where=text("essence IS NOT NULL")),
        Index("contents_algorithm", "library", "algorithm", "id"),
        Index("contents_unsearched", "id", postgresql_where=text("NOT searched")),
    )


class LandmarkRow(Base):
    """One posting of the inverted index. A heap without a key: postings are only added and dropped whole."""

    __tablename__ = "landmarks"

    token: Mapped[int] = mapped_column(Integer)
    content_id: Mapped[int] = mapped_column(Integer)
    time_ms: Mapped[int] = mapped_column(Integer)
    checked: Mapped[int] = mapped_column(Integer)

    __mapper_args__ = {"primary_key": [token, content_id, time_ms]}  # noqa: RUF012
    __table_args__ = (
        Index("landmarks_token", "token", "checked", postgresql_include=["content_id", "time_ms"]),
        Index("landmarks_content", "content_id"),
    )


class MatchRow(Base):
    """A pair, stored once: a is the content with the smaller sha256, so its segments depend on no order."""

    __tablename__ = "matches"

    content_a: Mapped[int] = mapped_column(ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)
    content_b: Mapped[int] = mapped_column(ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)
    algorithm: Mapped[int]
    score: Mapped[float]
    speed: Mapped[float]
    verdict: Mapped[str]
    segments: Mapped[list[Any]]
    evidence: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revision: Mapped[int] = mapped_column(
        BigInteger, server_default="0"
    )  # by a trigger, when it looks different

    __table_args__ = (
        Index("matches_content_a", "content_a", "verdict", "score", postgresql_include=["content_b"]),
        Index("matches_content_b", "content_b", "verdict", "score", postgresql_include=["content_a"]),
        Index("matches_surest", "verdict", text("score DESC"), "content_a", "content_b"),
    )


class ThumbnailsRow(Base):
    """The pictures of one content, one after the other in one object."""

    __tablename__ = "thumbnails"

    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    times_s: Mapped[list[float]] = mapped_column(ARRAY(Double()))
    sizes: Mapped[list[int]] = mapped_column(ARRAY(Integer()))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("thumbnails_made", "made_at"),)
