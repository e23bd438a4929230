"""The first tables, and the trigger that gives every visible change a revision and a notification."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_REVISIONS = """
CREATE FUNCTION announce_video() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('revisions');
    NEW.updated_at := clock_timestamp();
    PERFORM pg_notify('inspector_changes', 'video:' || NEW.id);
    IF NEW.state = 'queued' THEN
        PERFORM pg_notify('inspector_jobs', '');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION announce_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('revisions');
    PERFORM pg_notify('inspector_changes', 'content:' || NEW.id);
    IF NEW.library = 0 THEN
        INSERT INTO stale_groups (content_id) VALUES (NEW.id);
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION number_match() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('revisions');
    RETURN NEW;
END $$;

CREATE TRIGGER match_added BEFORE INSERT ON matches
    FOR EACH ROW EXECUTE FUNCTION number_match();

CREATE TRIGGER match_changed BEFORE UPDATE ON matches FOR EACH ROW
    WHEN ((OLD.score, OLD.verdict, OLD.segments) IS DISTINCT FROM (NEW.score, NEW.verdict, NEW.segments))
    EXECUTE FUNCTION number_match();

CREATE TRIGGER video_added BEFORE INSERT ON videos
    FOR EACH ROW EXECUTE FUNCTION announce_video();

-- not for what nobody sees: leases, sequencers, sweeps' marks
CREATE TRIGGER video_changed BEFORE UPDATE ON videos FOR EACH ROW
    WHEN ((OLD.state, OLD.progress, OLD.eta_s, OLD.attempts, OLD.reason, OLD.error, OLD.content_id, OLD.etag,
           OLD.size_bytes, OLD.queued_at)
          IS DISTINCT FROM
          (NEW.state, NEW.progress, NEW.eta_s, NEW.attempts, NEW.reason, NEW.error, NEW.content_id, NEW.etag,
           NEW.size_bytes, NEW.queued_at))
    EXECUTE FUNCTION announce_video();

CREATE FUNCTION forget_checkpoints() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM checkpoints WHERE video_id = NEW.id;
    RETURN NULL;
END $$;

-- a job that has ended, or that is about another object now, leaves nothing to go on from
CREATE TRIGGER video_settled AFTER UPDATE ON videos FOR EACH ROW
    WHEN (NEW.state NOT IN ('queued', 'processing') OR OLD.queued_at IS DISTINCT FROM NEW.queued_at)
    EXECUTE FUNCTION forget_checkpoints();

CREATE TRIGGER content_changed BEFORE INSERT OR UPDATE ON contents
    FOR EACH ROW EXECUTE FUNCTION announce_content();

-- NOTIFY makes such transactions commit one after the other anyway; the lock extends that to the log's rows
CREATE FUNCTION lock_changes() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtext('inspector'), hashtext('changes'))
$$;

CREATE FUNCTION log_video() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_changes();
    INSERT INTO changes (bucket, key, state, revision, progress, eta_s, attempts, reason)
    VALUES (NEW.bucket, NEW.key, NEW.state, NEW.revision, NEW.progress, NEW.eta_s, NEW.attempts, NEW.reason);
    RETURN NULL;
END $$;

-- the results of a finished video have changed
CREATE FUNCTION log_content() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM lock_changes();
    INSERT INTO changes (bucket, key, state, revision, progress, eta_s, attempts, reason)
    SELECT bucket, key, state, greatest(revision, NEW.revision), progress, eta_s, attempts, reason
    FROM videos WHERE content_id = NEW.id AND state = 'done' ORDER BY id;
    RETURN NULL;
END $$;

-- keeps the last 100,000 changes, and up to a thousand more
CREATE FUNCTION trim_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM changes WHERE position <= NEW.position - 100000;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER video_added_logged AFTER INSERT ON videos
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION log_video();

CREATE CONSTRAINT TRIGGER video_changed_logged AFTER UPDATE ON videos
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.revision <> NEW.revision)
    EXECUTE FUNCTION log_video();

CREATE CONSTRAINT TRIGGER content_changed_logged AFTER UPDATE ON contents
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.updated_at <> NEW.updated_at)
    EXECUTE FUNCTION log_content();

CREATE TRIGGER changes_trimmed AFTER INSERT ON changes
    FOR EACH ROW WHEN (NEW.position % 1000 = 0) EXECUTE FUNCTION trim_changes();
"""


_OUTBOX = """
CREATE FUNCTION record_outcome() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO outbox (event_id, kind, video_id, data) VALUES (
        gen_random_uuid(),
        CASE NEW.state WHEN 'done' THEN 'video.done' ELSE 'video.failed' END,
        NEW.id,
        jsonb_build_object(
            'key', NEW.key, 'bucket', NEW.bucket, 'etag', NEW.etag, 'state', NEW.state,
            'reason', NEW.reason, 'error', NEW.error, 'content_id', NEW.content_id,
            'revision', NEW.revision));
    RETURN NULL;
END $$;

CREATE TRIGGER video_ended AFTER UPDATE OF state ON videos FOR EACH ROW
    WHEN (NEW.state IN ('done', 'rejected', 'failed') AND OLD.state IS DISTINCT FROM NEW.state)
    EXECUTE FUNCTION record_outcome();
"""


_ATTEMPTS = """
-- whoever gives a job to a worker, or takes it away, leaves a trace of it
CREATE FUNCTION record_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    ended text := CASE
        WHEN NEW.state = 'removed' THEN 'removed'
        WHEN NEW.queued_at IS DISTINCT FROM OLD.queued_at THEN 'superseded'
        WHEN NEW.state IN ('processing', 'failed') AND OLD.due_at <= clock_timestamp() THEN 'lost'
        WHEN NEW.state = 'queued' AND NEW.attempts < OLD.attempts THEN 'released'
        WHEN NEW.state = 'queued' THEN 'retried'
        ELSE NEW.state
    END;
BEGIN
    UPDATE attempts SET ended_at = clock_timestamp(), outcome = ended, reason = CASE
        WHEN ended IN ('rejected', 'failed', 'retried', 'released')
        THEN nullif(concat_ws(': ', NEW.reason, NEW.error), '') END
    WHERE token = OLD.lease_token;
    IF NEW.lease_token IS NOT NULL THEN
        INSERT INTO attempts (token, video_id, number, worker_id, started_at)
        VALUES (NEW.lease_token, NEW.id, NEW.attempts, NEW.worker_id, clock_timestamp());
        DELETE FROM attempts WHERE video_id = NEW.id AND started_at < (
            SELECT started_at FROM attempts WHERE video_id = NEW.id
            ORDER BY started_at DESC OFFSET 49 LIMIT 1);
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER video_attempted AFTER UPDATE OF lease_token ON videos FOR EACH ROW
    WHEN (OLD.lease_token IS DISTINCT FROM NEW.lease_token) EXECUTE FUNCTION record_attempt();
"""


def upgrade() -> None:
    op.execute("CREATE SEQUENCE revisions")
    op.create_table(
        "contents",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("library", sa.SmallInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("media", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("essence", sa.LargeBinary(), nullable=True),
        sa.Column("packet_times_ms", sa.ARRAY(sa.Integer()), nullable=True),
        sa.Column("algorithm", sa.Integer(), nullable=False),
        sa.Column("duration_s", sa.Double(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("cuts_s", sa.ARRAY(sa.Double()), nullable=False),
        sa.Column("samples", sa.LargeBinary(), nullable=False),
        sa.Column("searched", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("library", "sha256", name="contents_library_sha256"),
    )
    op.create_index(
        "contents_essence",
        "contents",
        ["essence", "library"],
        unique=False,
        postgresql_where=sa.text("essence IS NOT NULL"),
    )
    op.create_table(
        "landmarks",
        sa.Column("token", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.Column("checked", sa.Integer(), nullable=False),
    )
    op.create_index("landmarks_content", "landmarks", ["content_id"], unique=False)
    op.create_index(
        "landmarks_token",
        "landmarks",
        ["token", "checked"],
        unique=False,
        postgresql_include=["content_id", "time_ms"],
    )
    op.create_table(
        "idempotency",
        sa.Column("caller", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("token", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key"),
    )
    op.create_index("idempotency_expires", "idempotency", ["expires_at"], unique=False)
    op.create_table(
        "uploads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("part_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("uploads_expires", "uploads", ["expires_at"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("data", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("routed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("event_id", name="outbox_event_id"),
    )
    op.create_index("outbox_created", "outbox", ["created_at"], unique=False)
    op.create_index("outbox_unrouted", "outbox", ["id"], unique=False, postgresql_where=sa.text("NOT routed"))
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("outbox_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default="pending", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["outbox_id"], ["outbox.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "deliveries_due",
        "deliveries",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'pending'"),
    )
    op.create_index("deliveries_outbox", "deliveries", ["outbox_id"], unique=False)
    op.create_index("deliveries_target", "deliveries", ["target", "id"], unique=False)
    op.create_table(
        "probes",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "sweeps",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(collation="C"), server_default="", nullable=False),
        sa.Column("blocked", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("bucket"),
    )
    op.create_index("contents_algorithm", "contents", ["library", "algorithm", "id"], unique=False)
    op.create_index(
        "contents_unsearched", "contents", ["id"], unique=False, postgresql_where=sa.text("NOT searched")
    )
    op.create_table(
        "reindexes",
        sa.Column("algorithm", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("cancelled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("algorithm"),
    )
    op.create_table(
        "reindex_faults",
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id"),
    )
    op.create_table(
        "backfills",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("position", sa.Text(), server_default="", nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=True),
        sa.Column("looked_at", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("queued", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("forbidden", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("bucket", "source"),
    )
    op.create_table(
        "monitors",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("every_s", sa.Double(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "host"),
    )
    op.create_table(
        "recoveries",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("recoveries_at", "recoveries", ["at"])
    op.create_table(
        "thumbnails",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("times_s", sa.ARRAY(sa.Double()), nullable=False),
        sa.Column("sizes", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("sha256"),
    )
    op.create_index("thumbnails_made", "thumbnails", ["made_at"], unique=False)
    op.create_table(
        "workers",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("doing", sa.Text(), nullable=False),
        sa.Column("breaker_open", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "heartbeat_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "matches",
        sa.Column("content_a", sa.BigInteger(), nullable=False),
        sa.Column("content_b", sa.BigInteger(), nullable=False),
        sa.Column("algorithm", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("speed", sa.Double(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("segments", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("evidence", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["content_a"], ["contents.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["content_b"], ["contents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_a", "content_b"),
    )
    for mine, theirs in (("content_a", "content_b"), ("content_b", "content_a")):
        op.create_index(
            f"matches_{mine}",
            "matches",
            [mine, "verdict", "score"],
            unique=False,
            postgresql_include=[theirs],
        )
    op.create_index(
        "matches_surest", "matches", ["verdict", sa.literal_column("score DESC"), "content_a", "content_b"]
    )
    op.create_table(
        "videos",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_modified", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=True),
        sa.Column("sequencer", sa.Text(), nullable=True),
        sa.Column("content_id", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("priority", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("lease_token", sa.UUID(as_uuid=False), nullable=True),
        sa.Column("worker_id", sa.Text(), nullable=True),
        sa.Column("progress", sa.Double(), server_default="0", nullable=False),
        sa.Column("eta_s", sa.Double(), nullable=True),
        sa.Column("missed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dead_lettered", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("revision", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("bucket", "key", name="videos_bucket_key"),
    )
    op.create_table(
        "checkpoints",
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("plan", sa.LargeBinary(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("grown", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("video_id", "number"),
    )
    op.create_table(
        "attempts",
        sa.Column("token", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("video_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["video_id"], ["videos.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index("attempts_video", "attempts", ["video_id", "started_at"], unique=False)
    op.create_index("videos_bucket_name", "videos", ["bucket", "name"], unique=False)
    op.create_index("videos_content", "videos", ["content_id"], unique=False)
    op.create_index(
        "videos_due",
        "videos",
        ["priority", "due_at"],
        unique=False,
        postgresql_where=sa.text("state IN ('queued', 'processing')"),
    )
    op.create_index(
        "videos_leased",
        "videos",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("state = 'processing'"),
    )
    op.create_index(
        "videos_missed", "videos", ["bucket"], unique=False, postgresql_where=sa.text("missed_at IS NOT NULL")
    )
    op.create_index("videos_finished", "videos", ["bucket", "finished_at"], unique=False)
    op.create_index("videos_state", "videos", ["bucket", "state", "id"], unique=False)
    op.create_index(
        "videos_undelivered",
        "videos",
        ["id"],
        unique=False,
        postgresql_where=sa.text("state = 'failed' AND NOT dead_lettered"),
    )
    _upgrade_reviews()
    op.create_table(
        "changes",
        sa.Column("position", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("progress", sa.Double(), nullable=False),
        sa.Column("eta_s", sa.Double(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("position"),
    )
    op.execute(_REVISIONS)
    op.execute(_OUTBOX)
    op.execute(_ATTEMPTS)
    _upgrade_arrivals()


def downgrade() -> None:
    _downgrade_arrivals()
    _downgrade_reviews()
    op.drop_index("attempts_video", table_name="attempts")
    op.drop_table("attempts")
    op.drop_table("checkpoints")
    op.drop_index(
        "videos_undelivered",
        table_name="videos",
        postgresql_where=sa.text("state = 'failed' AND NOT dead_lettered"),
    )
    op.drop_index("videos_state", table_name="videos")
    op.drop_index("videos_finished", table_name="videos")
    op.drop_index("videos_missed", table_name="videos", postgresql_where=sa.text("missed_at IS NOT NULL"))
    op.drop_index(
        "videos_due", table_name="videos", postgresql_where=sa.text("state IN ('queued', 'processing')")
    )
    op.drop_index("videos_content", table_name="videos")
    op.drop_index("videos_bucket_name", table_name="videos")
    op.drop_table("videos")
    op.drop_index("matches_content_b", table_name="matches", postgresql_include=["content_a"])
    op.drop_index("matches_content_a", table_name="matches", postgresql_include=["content_b"])
    op.drop_index("matches_surest", table_name="matches")
    op.drop_table("matches")
    op.drop_table("workers")
    op.drop_index("thumbnails_made", table_name="thumbnails")
    op.drop_table("thumbnails")
    op.drop_index("recoveries_at", table_name="recoveries")
    op.drop_table("recoveries")
    op.drop_table("monitors")
    op.drop_table("backfills")
    op.drop_table("reindex_faults")
    op.drop_table("reindexes")
    op.drop_table("sweeps")
    op.drop_table("deliveries")
    op.drop_table("outbox")
    op.drop_index("uploads_expires", table_name="uploads")
    op.drop_table("uploads")
    op.drop_index("idempotency_expires", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_table("probes")
    op.drop_index(
        "landmarks_token",
        table_name="landmarks",
        postgresql_include=["content_id", "time_ms"],
    )
    op.drop_index("landmarks_content", table_name="landmarks")
    op.drop_table("landmarks")
    op.drop_index("contents_unsearched", table_name="contents", postgresql_where=sa.text("NOT searched"))
    op.drop_index("contents_algorithm", table_name="contents")
    op.drop_index("contents_essence", table_name="contents", postgresql_where=sa.text("essence IS NOT NULL"))
    op.drop_table("contents")
    op.drop_table("changes")
    op.execute(
        "DROP FUNCTION announce_video, announce_content, number_match, forget_checkpoints, log_video, "
        "log_content, lock_changes, trim_changes, record_outcome, record_attempt"
    )
    op.execute("DROP SEQUENCE revisions")


def _upgrade_reviews() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sha256_a", sa.LargeBinary(), nullable=False),
        sa.Column("sha256_b", sa.LargeBinary(), nullable=False),
        sa.Column("start_ms", sa.Integer(), server_default=sa.text("-1"), nullable=False),
        sa.Column("end_ms", sa.Integer(), server_default=sa.text("-1"), nullable=False),
        sa.Column("keep_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("keep_key", sa.Text(), nullable=True),
        sa.Column("made_on", sa.BigInteger(), nullable=True),
        sa.Column("undoes", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column(
            "revision", sa.BigInteger(), server_default=sa.text("nextval('revisions')"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["undoes"],
            ["decisions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("decisions_number", "decisions", ["number"], unique=False)
    op.create_index(
        "decisions_subject", "decisions", ["sha256_a", "sha256_b", "start_ms", "end_ms", "id"], unique=False
    )
    op.create_index(
        "decisions_undone",
        "decisions",
        ["undoes"],
        unique=True,
        postgresql_where=sa.text("undoes IS NOT NULL"),
    )
    op.create_table(
        "groupings", sa.Column("made_by", sa.Text(), nullable=False), sa.PrimaryKeyConstraint("made_by")
    )
    op.create_table(
        "groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("undecided", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "groups_surest",
        "groups",
        [sa.literal_column("score DESC"), "id"],
        unique=False,
        postgresql_where=sa.text("size > 0"),
    )
    op.create_index(
        "groups_undecided",
        "groups",
        [sa.literal_column("score DESC"), "id"],
        unique=False,
        postgresql_where=sa.text("undecided AND size > 0"),
    )
    op.create_table(
        "stale_groups",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "actions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run", sa.UUID(as_uuid=False), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("keeper_key", sa.Text(), nullable=False),
        sa.Column("keeper_etag", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=True),
        sa.Column("before", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("after", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("actions_decision", "actions", ["decision_id"], unique=False)
    op.create_index(
        "actions_in_work",
        "actions",
        ["bucket", "key"],
        unique=True,
        postgresql_where=sa.text("state IN ('started', 'undoing')"),
    )
    op.create_index("actions_run", "actions", ["run"], unique=False)
    op.create_table(
        "common_stretches",
        sa.Column("content_id", sa.BigInteger(), nullable=False),
        sa.Column("start_ms", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("end_ms", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("shared_by", sa.Integer(), nullable=False),
        sa.Column(
            "revision", sa.BigInteger(), server_default=sa.text("nextval('revisions')"), nullable=False
        ),
        sa.ForeignKeyConstraint(["content_id"], ["contents.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("content_id", "start_ms", "end_ms"),
    )
    op.create_index(
        "common_stretches_most",
        "common_stretches",
        [sa.literal_column("shared_by DESC"), "content_id", "start_ms", "end_ms"],
        unique=False,
    )
    op.create_table(
        "group_members",
        sa.Column("group_id", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("group_id", "since", "content_id"),
    )
    op.create_index(
        "group_members_content",
        "group_members",
        ["content_id"],
        unique=False,
        postgresql_where=sa.text("until IS NULL"),
    )
    op.create_table(
        "standing_decisions",
        sa.Column("sha256_a", sa.LargeBinary(), nullable=False),
        sa.Column("sha256_b", sa.LargeBinary(), nullable=False),
        sa.Column("start_ms", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("end_ms", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("decision_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["decision_id"],
            ["decisions.id"],
        ),
        sa.PrimaryKeyConstraint("sha256_a", "sha256_b", "start_ms", "end_ms"),
    )
    op.create_index("standing_decisions_b", "standing_decisions", ["sha256_b"], unique=False)


def _upgrade_arrivals() -> None:
    op.create_table(
        "watched_files",
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("bucket", "key"),
    )
    now = sa.text("now()")
    op.create_table(
        "recordings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("boot", sa.Text(), nullable=False),
        sa.Column("process_started", sa.BigInteger(), nullable=False),
        sa.Column("spool", sa.Text(), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("duration_s", sa.Double(), server_default="0", nullable=False),
        sa.Column("restarts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("joined_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "recordings_running", "recordings", ["heartbeat_at"], postgresql_where=sa.text("state = 'running'")
    )
    op.create_index("recordings_channel", "recordings", ["bucket", "channel", "id"])
    op.create_index(
        "recordings_joined",
        "recordings",
        ["bucket", "joined_key"],
        postgresql_where=sa.text("joined_key IS NOT NULL"),
    )
    op.create_table(
        "recording_segments",
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("recording_id", "number"),
    )
    op.create_index("recording_segments_key", "recording_segments", ["key"])
    op.create_table(
        "recording_gaps",
        sa.Column("recording_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("start_s", sa.Double(), nullable=False),
        sa.Column("end_s", sa.Double(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["recording_id"], ["recordings.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("recording_id", "number"),
    )


def _downgrade_arrivals() -> None:
    for table in ("recording_gaps", "recording_segments", "recordings", "watched_files"):
        op.drop_table(table)


def _downgrade_reviews() -> None:
    op.drop_index("standing_decisions_b", table_name="standing_decisions")
    op.drop_table("standing_decisions")
    op.drop_index(
        "group_members_content", table_name="group_members", postgresql_where=sa.text("until IS NULL")
    )
    op.drop_table("group_members")
    op.drop_index("common_stretches_most", table_name="common_stretches")
    op.drop_table("common_stretches")
    op.drop_index("actions_run", table_name="actions")
    op.drop_index(
        "actions_in_work", table_name="actions", postgresql_where=sa.text("state IN ('started', 'undoing')")
    )
    op.drop_index("actions_decision", table_name="actions")
    op.drop_table("actions")
    op.drop_table("stale_groups")
    op.drop_index("groups_undecided", table_name="groups", postgresql_where=sa.text("undecided AND size > 0"))
    op.drop_index("groups_surest", table_name="groups", postgresql_where=sa.text("size > 0"))
    op.drop_table("groups")
    op.drop_table("groupings")
    op.drop_index("decisions_undone", table_name="decisions", postgresql_where=sa.text("undoes IS NOT NULL"))
    op.drop_index("decisions_subject", table_name="decisions")
    op.drop_index("decisions_number", table_name="decisions")
    op.drop_table("decisions")
