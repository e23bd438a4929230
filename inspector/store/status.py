"""What people see of the videos, read in few queries: a status page costs the same for one video or fifty."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import ARRAY, BigInteger, Double, Row, Select, any_, bindparam, func, select
from sqlalchemy.orm import Session, defer

from inspector.model import (
    Decision,
    DuplicateStatus,
    LoggedChange,
    LoggedChanges,
    Match,
    Overview,
    Priority,
    State,
    Verdict,
    VideoStatus,
    WorkerStatus,
    identical_match,
)
from inspector.store import monitors
from inspector.store.contents import media_of
from inspector.store.database import Database
from inspector.store.decisions import Ids, decided_about, pair_of
from inspector.store.stretches import Found, label_common, matches_of
from inspector.store.tables import ChangeRow, ContentRow, SweepRow, VideoRow, WorkerRow

MOST_DUPLICATES: Final = 100  # of either kind shown of one video, the surest first

Named = dict[int, list[Row[*tuple[Any, ...]]]]  # content id -> the videos (id, bucket, key) that name it now


class StatusReader:
    """Reads statuses. min_score: matches below it are not shown; common_from: see `common.find_common`."""

    def __init__(self, db: Database, *, min_score: float, common_from: int = 5) -> None:
        self._db = db
        self._min_score = min_score
        self._common_from = common_from

    def by_key(self, bucket: str, key: str) -> VideoStatus | None:
        """The video of exactly this key."""
        return self._first(_videos().where(VideoRow.bucket == bucket, VideoRow.key == key))

    def by_name(self, bucket: str, name: str) -> VideoStatus | None:
        """The newest video whose key ends in this file name; one that is still there, if any."""
        query = _videos().where(VideoRow.bucket == bucket, VideoRow.name == name)
        return self._first(query.order_by(VideoRow.state == State.REMOVED, VideoRow.id.desc()).limit(1))

    def by_ids(self, video_ids: Collection[int]) -> list[VideoStatus]:
        return self._read(_videos().where(VideoRow.id.in_(video_ids)))

    def page(
        self, bucket: str, *, before: int | None, limit: int, state: State | None = None
    ) -> list[VideoStatus]:
        """The newest videos first, from those with an id below `before`."""
        query = _videos().where(VideoRow.bucket == bucket)
        if before is not None:
            query = query.where(VideoRow.id < before)
        if state is not None:
            query = query.where(VideoRow.state == state)
        return self._read(query.order_by(VideoRow.id.desc()).limit(limit))

    def revisions(self, video_ids: Collection[int]) -> dict[int, int]:
        """The present revision of each video."""
        query = (
            select(VideoRow.id, func.greatest(VideoRow.revision, ContentRow.revision))
            .outerjoin(ContentRow, ContentRow.id == VideoRow.content_id)
            .where(VideoRow.id == any_(bindparam("ids", list(video_ids), ARRAY(BigInteger()))))
        )
        with self._db.begin() as tx:
            return {row[0]: row[1] for row in tx.execute(query)}

    def changes_after(self, bucket: str, position: int | None, *, limit: int) -> LoggedChanges:
        """The changes of the bucket's videos after a position of the log; None: only the log's span."""
        with self._db.begin() as tx:
            newest = tx.scalar(select(func.max(ChangeRow.position)))  # first: it must not promise too much
            oldest = tx.scalar(select(func.min(ChangeRow.position)))
            if newest is None or oldest is None:
                return LoggedChanges(1, 0, ())
            if position is None or position >= newest:
                return LoggedChanges(oldest, newest, ())
            query = select(ChangeRow).where(
                ChangeRow.position > position, ChangeRow.position <= newest, ChangeRow.bucket == bucket
            )
            rows = tx.scalars(query.order_by(ChangeRow.position).limit(limit))
            return LoggedChanges(oldest, newest, tuple(_change(row) for row in rows))

    def overview(self, bucket: str) -> Overview:
        """Counts of jobs, heartbeats and the sweep."""
        with self._db.begin() as tx:
            counts = tx.execute(
                select(VideoRow.state, func.count()).where(VideoRow.bucket == bucket).group_by(VideoRow.state)
            )
            jobs = {State(state): count for state, count in counts}
            oldest = tx.scalar(
                select(_age(func.min(VideoRow.queued_at))).where(
                    VideoRow.state == State.QUEUED, VideoRow.priority == Priority.UPLOAD
                )
            )
            sweep = tx.execute(
                select(_age(SweepRow.finished_at), SweepRow.blocked).where(SweepRow.bucket == bucket)
            ).first()
            age_s, blocked = tuple(sweep) if sweep else (None, None)
            return Overview(jobs, oldest, _workers(tx), age_s, blocked, monitors.age_s(tx, bucket))

    def ping(self) -> None:
        """Raises DatabaseUnavailable if the database does not answer."""
        self._db.ping()

    def _first(self, query: Select[VideoRow, ContentRow]) -> VideoStatus | None:
        return next(iter(self._read(query)), None)

    def _read(self, query: Select[VideoRow, ContentRow]) -> list[VideoStatus]:
        with self._db.begin() as tx:
            rows = [(video, content) for video, content in tx.execute(query)]
            shown = [content.id for video, content in rows if content is not None and _has_results(video)]
            found = matches_of(tx, shown, self._min_score)
            label_common(tx, found, self._common_from)
            decided = decided_about(tx, shown)
            named = _names_of(tx, {*shown, *(other for pairs in found.values() for other, _ in pairs)})
        return [
            _status(video, content, _shares(video, content, found, named, decided) if content else ())
            for video, content in rows
        ]


def _videos() -> Select[VideoRow, ContentRow]:
    """Without the samples of the fingerprints, which are most of their bytes and shown to nobody."""
    unread = (defer(ContentRow.samples, raiseload=True), defer(ContentRow.packet_times_ms, raiseload=True))
    joined = select(VideoRow, ContentRow).outerjoin(ContentRow, ContentRow.id == VideoRow.content_id)
    return joined.options(*unread)


def _has_results(video: VideoRow) -> bool:
    return video.state == State.DONE


def _names_of(tx: Session, content_ids: set[int]) -> Named:
    """The inspected videos that name each content."""
    named: Named = defaultdict(list)
    if content_ids:
        query = select(VideoRow.content_id, VideoRow.id, VideoRow.bucket, VideoRow.key).where(
            VideoRow.content_id.in_(content_ids), VideoRow.state == State.DONE
        )
        for row in tx.execute(query.order_by(VideoRow.id)):
            named[row.content_id].append(row)
    return named


def _shares(
    video: VideoRow, content: ContentRow, found: Found, named: Named, decided: dict[Ids, Decision]
) -> tuple[DuplicateStatus, ...]:
    if not _has_results(video):
        return ()
    same = (content.id, identical_match(content.duration_s))
    pairs = [
        (other, _as_decided(match, decision), decision)
        for content_id, match in [same, *found.get(content.id, [])]
        for decision in [decided.get(pair_of(content.id, content_id))]
        for other in named.get(content_id, [])
        if other.id != video.id
    ]
    pairs.sort(key=lambda pair: (-pair[1].score, pair[0].id))
    return tuple(_duplicate(*each) for each in pairs)


def _as_decided(match: Match, decision: Decision | None) -> Match:
    return replace(match, verdict=Verdict.COMMON) if decision is Decision.COMMON else match


def _duplicate(other: Row[*tuple[Any, ...]], match: Match, decision: Decision | None) -> DuplicateStatus:
    return DuplicateStatus(
        video_id=other.id,
        bucket=other.bucket,
        key=other.key,
        verdict=match.verdict,
        score=match.score,
        speed=match.speed,
        segments=match.segments,
        evidence=match.evidence,
        decision=decision,
    )


def _status(
    video: VideoRow, content: ContentRow | None, all_shares: Sequence[DuplicateStatus]
) -> VideoStatus:
    shares = [each for each in all_shares if each.decision is not Decision.NOT_A_MATCH]
    return VideoStatus(
        video_id=video.id,
        content_id=video.content_id,
        bucket=video.bucket,
        key=video.key,
        state=State(video.state),
        revision=max(video.revision, content.revision if content else 0),
        size_bytes=video.size_bytes,
        sha256=content.sha256.hex() if content else None,
        progress=video.progress,
        eta_s=video.eta_s,
        attempts=video.attempts,
        reason=video.reason,
        error=video.error,
        truncated=content.truncated if content else False,
        media=media_of(content) if content else None,
        scene_cuts=tuple(content.cuts_s) if content else (),
        duplicates=_foremost(each for each in shares if each.verdict is not Verdict.COMMON),
        common=_foremost(each for each in shares if each.verdict is Verdict.COMMON),
        dismissed=_foremost(each for each in all_shares if each.decision is Decision.NOT_A_MATCH),
        created_at=video.created_at,
        queued_at=video.queued_at,
        started_at=video.started_at,
        finished_at=video.finished_at,
        updated_at=_latest(video.updated_at, content.updated_at if content else None),
    )


def _change(row: ChangeRow) -> LoggedChange:
    return LoggedChange(
        row.position,
        row.key,
        State(row.state),
        row.revision,
        row.progress,
        row.eta_s,
        row.attempts,
        row.reason,
        row.at,
    )


def _foremost(shares: Iterable[DuplicateStatus]) -> tuple[DuplicateStatus, ...]:
    return tuple(islice(shares, MOST_DUPLICATES))


def _workers(tx: Session) -> tuple[WorkerStatus, ...]:
    rows = tx.execute(select(WorkerRow, _age(WorkerRow.heartbeat_at)).order_by(WorkerRow.id))
    return tuple(
        WorkerStatus(row.id, row.host, row.pid, row.doing, age_s, row.breaker_open) for row, age_s in rows
    )


def _age(moment: Any) -> Any:
    """Seconds since a moment, by the database's clock."""
    return func.extract("epoch", func.clock_timestamp() - moment).cast(Double)


def _latest(*moments: datetime | None) -> datetime | None:
    return max((m for m in moments if m is not None), default=None)
