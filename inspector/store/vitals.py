"""What a check-up asks the database about itself and about the jobs, in few and cheap questions."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Double, func, select, text
from sqlalchemy.orm import Session

from inspector.model import State
from inspector.store.tables import ChangeRow, ContentRow, LandmarkRow, VideoRow


@dataclass(frozen=True, slots=True)
class ServerVitals:
    """How the server is. version: as PostgreSQL counts, 150004 for 15.4.  now: by its clock."""

    version: int
    size_bytes: int
    connections: int
    most_connections: int
    now: datetime


@dataclass(frozen=True, slots=True)
class JobVitals:
    """due: queued jobs that may be claimed now; longest_due_s: for how long one of them has been so.

    expired, longest_expired_s: the same of jobs in work whose lease has run out.
    """

    due: int
    longest_due_s: float
    processing: int
    expired: int
    longest_expired_s: float


@dataclass(frozen=True, slots=True)
class IndexSize:
    """contents: with a fingerprint; landmarks: about how many; bytes: of their table and its indexes."""

    contents: int
    landmarks: int
    landmark_bytes: int
    database_bytes: int


def read_server(tx: Session) -> ServerVitals:
    row = tx.execute(
        text(
            "SELECT current_setting('server_version_num')::int, pg_database_size(current_database()),"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),"
            " current_setting('max_connections')::int, clock_timestamp()"
        )
    ).one()
    return ServerVitals(*row)


def read_jobs(tx: Session, bucket: str) -> JobVitals:
    due_s = func.extract("epoch", func.clock_timestamp() - VideoRow.due_at).cast(Double)
    rows = tx.execute(
        select(VideoRow.state, func.count(), func.count().filter(due_s > 0), func.max(due_s))
        .where(VideoRow.bucket == bucket, VideoRow.state.in_((State.QUEUED, State.PROCESSING)))
        .group_by(VideoRow.state)
    )
    found = {state: (count, due, max(0.0, longest_s)) for state, count, due, longest_s in rows}
    _, due, longest_due_s = found.get(State.QUEUED, (0, 0, 0.0))
    processing, expired, longest_expired_s = found.get(State.PROCESSING, (0, 0, 0.0))
    return JobVitals(due, longest_due_s, processing, expired, longest_expired_s)


def newest_change(tx: Session, bucket: str) -> tuple[str, int] | None:
    """The key and the revision of the last visible change; None if there was none."""
    query = select(ChangeRow.key, ChangeRow.revision).where(ChangeRow.bucket == bucket)
    row = tx.execute(query.order_by(ChangeRow.position.desc()).limit(1)).first()
    return None if row is None else (row.key, row.revision)


def read_index(tx: Session) -> IndexSize:
    """Rows are not counted but estimated, as PostgreSQL's planner does; that takes no time."""
    return IndexSize(
        contents=_about(tx, ContentRow),
        landmarks=_about(tx, LandmarkRow),
        landmark_bytes=tx.scalar(select(func.pg_total_relation_size(LandmarkRow.__tablename__))) or 0,
        database_bytes=tx.scalar(select(func.pg_database_size(func.current_database()))) or 0,
    )


def _about(tx: Session, table: Any) -> int:
    statement = text("SELECT reltuples::bigint FROM pg_class WHERE oid = to_regclass(:name)")
    return max(0, tx.scalar(statement, {"name": table.__tablename__}) or 0)
