"""The tables. Every other module of this room speaks of them; nothing outside of it does.

videos        what lies under one (bucket, key) now, and the job of inspecting it
contents      sequences of bytes, one row per library and sha256, with their fingerprint
landmarks     the inverted index: token -> where it occurs
matches       pairs of contents that share material
thumbnails    which pictures of a content lie in the bucket
decisions     what people said of them, never changed; standing_decisions: what of it is in force
groups        sets of duplicates, with group_members; stale_groups and groupings: what is to be grouped anew
common_stretches  what many unrelated videos share
actions       what was done to objects because of decisions, written down before and after
checkpoints   what a worker at a long video has done so far; gone with the job
probes        probe objects that ingest has seen
workers       heartbeats
changes       the log of what has visibly changed, in the order of the commits
sweeps        how far the comparison of bucket and database is
monitors      who watches, and when they last looked; recoveries: what they did
reindexes     contents are to be brought up to date with an algorithm; reindex_faults: where that failed
backfills     how far a look at what has long been in the bucket is
idempotency   answers to requests that may be sent again
uploads       uploads in parts that are not ended
recordings    stretches of channels, with recording_segments (videos with stream offsets) and recording_gaps
watched_files what a watched folder has uploaded
outbox        events to be told to the world outside, written by a trigger as jobs end
deliveries    each of them on its way to one target

A trigger (see migrations) gives every visible change of a video or content a new revision and notifies the
channel `inspector_changes`, so no code can forget to. Another writes the log `changes` when the transaction
commits, under a lock: positions are then in the order in which changes become visible, and who has read up to
one has missed nothing before it. Revisions are not: they are given before the commit.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

CHANGES_CHANNEL: Final = "inspector_changes"  # payload: "video:<id>" or "content:<id>"
JOBS_CHANNEL: Final = "inspector_jobs"  # a job may be claimed now; no payload
CLAIMABLE: Final = "state IN ('queued', 'processing')"


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012  (SQLAlchemy's own convention)
        str: Text(),
        datetime: DateTime(timezone=True),
        float: Double(),
        bytes: LargeBinary(),
        dict[str, Any]: JSONB(none_as_null=True),
        list[Any]: JSONB(none_as_null=True),
    }


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


class ThumbnailsRow(Base):
    """The pictures of one content, one after the other in one object."""

    __tablename__ = "thumbnails"

    sha256: Mapped[bytes] = mapped_column(primary_key=True)
    times_s: Mapped[list[float]] = mapped_column(ARRAY(Double()))
    sizes: Mapped[list[int]] = mapped_column(ARRAY(Integer()))
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(server_default=func.now())

    __table_args__ = (Index("thumbnails_made", "made_at"),)


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


class SweepRow(Base):
    """The state of the bucket's sweep: one row a bucket."""

    __tablename__ = "sweeps"

    bucket: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[str] = mapped_column(Text(collation="C"), server_default="")  # the last key compared
    blocked: Mapped[str | None]  # why removals wait for a confirmation
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


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


class WatchedFileRow(Base):
    """A file of a watched folder that was uploaded, as it looked then."""

    __tablename__ = "watched_files"

    bucket: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    uploaded_at: Mapped[datetime] = mapped_column(server_default=func.now())


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
