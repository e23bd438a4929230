"""What the pages show beside the statuses: the library as it is filtered, pictures, and how the work goes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select

from inspector.model import Fingerprint, State, VideoStatus
from inspector.store import attempts, catalog, contents, requeue, throughput, thumbnails
from inspector.store.attempts import Attempt
from inspector.store.catalog import Filter, Position, Sort
from inspector.store.database import Database
from inspector.store.status import StatusReader
from inspector.store.tables import VideoRow
from inspector.store.thumbnails import Thumbnails

HOURS: Final = 24  # of throughput


@dataclass(frozen=True, slots=True)
class Hour:
    """How many jobs ended within an hour, by how they ended."""

    begins: datetime
    done: int
    rejected: int
    failed: int


class PageReader:
    """Reads for the pages of one bucket. Every method may raise DatabaseUnavailable."""

    def __init__(self, db: Database, statuses: StatusReader, bucket: str) -> None:
        self._db = db
        self._statuses = statuses
        self._bucket = bucket

    def find(self, wanted: Filter, *, before: int | None, limit: int) -> list[VideoStatus]:
        """The newest videos that are wanted, of those with an id below `before`."""
        after = None if before is None else Position(before, "")
        with self._db.begin() as tx:
            found = catalog.find_page(tx, self._bucket, wanted, Sort.NEWEST, after=after, limit=limit)
        if not found:
            return []
        statuses = self._statuses.by_ids([each.video_id for each in found])
        return sorted(statuses, key=lambda status: -(status.video_id or 0))

    def thumbnails(self, sha256s: Collection[str]) -> dict[str, Thumbnails]:
        """The pictures of these contents, as far as there are any."""
        with self._db.begin() as tx:
            return thumbnails.load(tx, sha256s)

    def fingerprints(self, content_ids: Collection[int]) -> dict[int, Fingerprint]:
        """Of these contents, as far as they are of the present algorithm."""
        with self._db.begin() as tx:
            return {id_: content.fingerprint for id_, content in contents.load(tx, content_ids).items()}

    def attempts(self, video_id: int) -> list[Attempt]:
        """The attempts at a video, the oldest first."""
        with self._db.begin() as tx:
            return attempts.of_video(tx, video_id)

    def hours(self) -> list[Hour]:
        """The last day's throughput, hour by hour, the oldest first; the last one is not over yet."""
        hour = func.date_trunc("hour", VideoRow.finished_at)
        with self._db.begin() as tx:
            now: datetime = tx.execute(select(func.date_trunc("hour", func.clock_timestamp()))).scalar_one()
            first = now - timedelta(hours=HOURS - 1)
            rows = tx.execute(
                select(hour, VideoRow.state, func.count())
                .where(VideoRow.bucket == self._bucket, VideoRow.finished_at >= first)
                .group_by(hour, VideoRow.state)
            )
            counts = {(begins, state): count for begins, state, count in rows}
        return [
            Hour(
                begins,
                *(counts.get((begins, state), 0) for state in (State.DONE, State.REJECTED, State.FAILED)),
            )
            for begins in (first + timedelta(hours=n) for n in range(HOURS))
        ]

    def troubles(self, limit: int) -> list[VideoStatus]:
        """The videos that failed or were rejected last, the newest first."""
        with self._db.begin() as tx:
            ids = throughput.last_errors(tx, self._bucket, limit=limit)
        by_id = {status.video_id: status for status in self._statuses.by_ids(ids)} if ids else {}
        return [by_id[each] for each in ids if each in by_id]

    def redrive(self) -> int:
        """Put back into the queue what has failed. Returns how many videos that were."""
        with self._db.begin() as tx:
            return requeue.redrive(tx, self._bucket)
