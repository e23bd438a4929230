"""What people say of matches, and what was done because of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, Integer, func, text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.orm import Mapped, mapped_column

from inspector.store.tables.base import Base


class DecisionRow(Base):
    """An entry of the history. It speaks of bytes, so it outlives contents, names and inspections."""

    __tablename__ = "decisions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)  # shared by what was decided, and is undone, together
    subject: Mapped[str]  # as it was called then
    kind: Mapped[str]
    sha256_a: Mapped[bytes]
    sha256_b: Mapped[bytes]  # of a, if it is about copies of the same bytes, or about a stretch
    start_ms: Mapped[int] = mapped_column(
        Integer, server_default=text("-1")
    )  # of a stretch; -1: about the pair
    end_ms: Mapped[int] = mapped_column(Integer, server_default=text("-1"))
    keep_sha256: Mapped[bytes | None]
    keep_key: Mapped[str | None]
    made_on: Mapped[int | None] = mapped_column(BigInteger)  # the revision that was looked at
    undoes: Mapped[int | None] = mapped_column(ForeignKey("decisions.id"))
    actor: Mapped[str]
    note: Mapped[str | None]
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('revisions')"))

    __table_args__ = (
        Index("decisions_subject", "sha256_a", "sha256_b", "start_ms", "end_ms", "id"),
        Index("decisions_number", "number"),
        Index("decisions_undone", "undoes", unique=True, postgresql_where=text("undoes IS NOT NULL")),
    )


class StandingDecisionRow(Base):
    """Which entry of the history is in force for a pair, or a stretch."""

    __tablename__ = "standing_decisions"

    sha256_a: Mapped[bytes] = mapped_column(primary_key=True)
    sha256_b: Mapped[bytes] = mapped_column(primary_key=True)
    start_ms: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    end_ms: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id"))

    __table_args__ = (Index("standing_decisions_b", "sha256_b"),)


class GroupRow(Base):
    """A group of duplicates. size 0: it is no more."""

    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    size: Mapped[int] = mapped_column(Integer)
    score: Mapped[float]
    undecided: Mapped[bool]
    digest: Mapped[bytes]  # of all that is shown of it; a new one makes a new revision
    revision: Mapped[int] = mapped_column(BigInteger)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (
        Index("groups_undecided", text("score DESC"), "id", postgresql_where=text("undecided AND size > 0")),
        Index("groups_surest", text("score DESC"), "id", postgresql_where=text("size > 0")),
    )


class GroupMemberRow(Base):
    """A content that is in a group since one revision, and was until another (none: it still is)."""

    __tablename__ = "group_members"

    group_id: Mapped[int] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    content_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    until: Mapped[int | None] = mapped_column(BigInteger)

    __table_args__ = (
        Index("group_members_content", "content_id", postgresql_where=text("until IS NULL")),
    )  # fmt: skip


class StaleGroupRow(Base):
    """A content whose groups have to be looked at again. A trigger adds them (see migrations)."""

    __tablename__ = "stale_groups"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    content_id: Mapped[int] = mapped_column(BigInteger)


class GroupingRow(Base):
    """By which settings and algorithm the groups were made: one row."""

    __tablename__ = "groupings"

    made_by: Mapped[str] = mapped_column(primary_key=True)


class CommonStretchRow(Base):
    """A stretch that many unrelated videos share, noted once: at that one of them with the smallest id."""

    __tablename__ = "common_stretches"

    content_id: Mapped[int] = mapped_column(ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True)
    start_ms: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    end_ms: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    shared_by: Mapped[int] = mapped_column(Integer)  # other contents
    revision: Mapped[int] = mapped_column(BigInteger, server_default=text("nextval('revisions')"))

    __table_args__ = (
        Index("common_stretches_most", text("shared_by DESC"), "content_id", "start_ms", "end_ms"),
    )


class ActionRow(Base):
    """One thing done to one object. `started` and `undoing` without an end: whoever did it has died."""

    __tablename__ = "actions"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    run: Mapped[str] = mapped_column(UUID(as_uuid=False))
    kind: Mapped[str]
    state: Mapped[str]
    decision_id: Mapped[int] = mapped_column(ForeignKey("decisions.id"))
    bucket: Mapped[str]
    key: Mapped[str]
    etag: Mapped[str]
    version_id: Mapped[str | None]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    keeper_key: Mapped[str]
    keeper_etag: Mapped[str]
    target: Mapped[str | None]  # the key it is moved to
    before: Mapped[dict[str, Any] | None]  # what an undo brings back
    after: Mapped[dict[str, Any] | None]
    error: Mapped[str | None]
    actor: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    finished_at: Mapped[datetime | None]
    undone_by: Mapped[str | None]
    undone_at: Mapped[datetime | None]

    __table_args__ = (
        Index("actions_run", "run"),
        Index("actions_decision", "decision_id"),
        Index(
            "actions_in_work", "bucket", "key", unique=True,
            postgresql_where=text("state IN ('started', 'undoing')"),
        ),
    )  # fmt: skip
