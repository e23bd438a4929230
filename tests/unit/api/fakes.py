"""Small stand-ins for PostgreSQL and the bucket; `source_contract` holds the first to the real one's ways."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from inspector.errors import BucketUnavailable, DatabaseUnavailable
from inspector.model import (
    Change,
    Fingerprint,
    LoggedChange,
    LoggedChanges,
    ObjectState,
    Overview,
    State,
    VideoStatus,
    WorkerStatus,
)
from inspector.store.attempts import Attempt
from inspector.store.catalog import Filter
from inspector.store.shown import Hour
from inspector.store.thumbnails import Thumbnails

BUCKET = "videos"
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OBJECT = ObjectState(10, "etag", MOMENT)


class FakeSource:
    """Videos in memory, with revisions and notifications. `down` makes every question fail."""

    def __init__(self) -> None:
        self.down = False
        self.questions = 0
        self.workers: tuple[WorkerStatus, ...] = ()
        self.sweep_blocked: str | None = None
        self._lock = threading.RLock()
        self._videos: dict[int, VideoStatus] = {}
        self._ids = itertools.count(1)
        self._revisions = itertools.count(1)
        self._listeners: list[FakeChanges] = []
        self._log: list[LoggedChange] = []
        self.forgotten = 0  # how many of the oldest changes the log has lost

    # ------------------------------------------------------------ what workers do

    def put(self, key: str, state: State = State.QUEUED, *, silently: bool = False, **values: Any) -> int:
        """Make the key's video so; returns its id. silently: the notification is lost."""
        with self._lock:
            known = self._named(key)
            base = known or VideoStatus(next(self._ids), None, BUCKET, key, state, 0, created_at=MOMENT)
            status = replace(base, state=state, revision=next(self._revisions), **values)
            assert status.video_id is not None
            self._videos[status.video_id] = status
            self._write(status)
            if not silently:
                self._notify(Change("video", status.video_id))
            return status.video_id

    def touch_content(self, content_id: int, **values: Any) -> None:
        """Change what all videos of a content show."""
        with self._lock:
            revision = next(self._revisions)
            for video_id, status in self._videos.items():
                if status.content_id == content_id:
                    self._videos[video_id] = replace(status, revision=revision, **values)
                    if status.state is State.DONE:
                        self._write(self._videos[video_id])
            self._notify(Change("content", content_id))

    def drop(self, video_id: int) -> None:
        """Retention ends: the video leaves the database."""
        with self._lock:
            del self._videos[video_id]
            self._notify(Change("video", video_id))

    def listener(self) -> FakeChanges:
        return FakeChanges(self)

    # ------------------------------------------------------------ StatusSource

    def by_key(self, bucket: str, key: str) -> VideoStatus | None:
        with self._asked():
            return self._named(key) if bucket == BUCKET else None

    def by_name(self, bucket: str, name: str) -> VideoStatus | None:
        with self._asked():
            named = [s for s in self._newest() if s.key.rstrip("/").rpartition("/")[2] == name]
            return next(iter(sorted(named, key=lambda s: s.state is State.REMOVED)), None)

    def by_ids(self, video_ids: Collection[int]) -> list[VideoStatus]:
        with self._asked():
            return [self._videos[i] for i in video_ids if i in self._videos]

    def page(
        self, bucket: str, *, before: int | None, limit: int, state: State | None = None
    ) -> list[VideoStatus]:
        with self._asked():
            return [
                s
                for s in self._newest()
                if (before is None or (s.video_id or 0) < before) and state in (None, s.state)
            ][:limit]

    def revisions(self, video_ids: Collection[int]) -> dict[int, int]:
        with self._asked():
            return {i: self._videos[i].revision for i in video_ids if i in self._videos}

    def changes_after(self, bucket: str, position: int | None, *, limit: int) -> LoggedChanges:
        with self._asked():
            newest = len(self._log)
            kept = self._log[self.forgotten :] if position is not None and bucket == BUCKET else []
            found = [change for change in kept if change.position > (position or 0)]
            return LoggedChanges(self.forgotten + 1, newest, tuple(found[:limit]))

    def overview(self, bucket: str) -> Overview:
        with self._asked():
            jobs: dict[State, int] = {}
            for status in self._videos.values():
                jobs[status.state] = jobs.get(status.state, 0) + 1
            return Overview(jobs, 7.5, self.workers, 30.0, self.sweep_blocked)

    def ping(self) -> None:
        with self._asked():
            pass

    # ------------------------------------------------------------ the inside

    def _asked(self) -> threading.RLock:
        self.questions += 1
        if self.down:
            raise DatabaseUnavailable("connection refused")
        return self._lock

    def _write(self, status: VideoStatus) -> None:
        """Log a change."""
        self._log.append(
            LoggedChange(
                len(self._log) + 1,
                status.key,
                status.state,
                status.revision,
                status.progress,
                status.eta_s,
                status.attempts,
                status.reason,
                MOMENT,
            )
        )

    def _named(self, key: str) -> VideoStatus | None:
        return next((s for s in self._videos.values() if s.key == key), None)

    def _newest(self) -> list[VideoStatus]:
        return sorted(self._videos.values(), key=lambda s: -(s.video_id or 0))

    def _notify(self, change: Change) -> None:
        for listener in self._listeners:
            listener.hear(change)


class FakeChanges:
    """Notifications of a FakeSource; the connection is lost while the source is down."""

    def __init__(self, source: FakeSource) -> None:
        self._source = source
        self._news = threading.Condition()
        self._heard: list[Change] = []

    def hear(self, change: Change) -> None:
        with self._news:
            self._heard.append(change)
            self._news.notify_all()

    def wait(self, timeout_s: float) -> list[Change]:
        if self._source.down:
            self.close()
            raise DatabaseUnavailable("connection lost")
        if self not in self._source._listeners:
            self._source._listeners.append(self)
        with self._news:
            self._news.wait_for(lambda: bool(self._heard), timeout_s)
            heard, self._heard = self._heard, []
            return heard

    def close(self) -> None:
        if self in self._source._listeners:
            self._source._listeners.remove(self)


class FakeBucket:
    """Objects in memory."""

    def __init__(self) -> None:
        self.down = False
        self.objects: dict[str, ObjectState] = {}
        self.bodies: dict[str, bytes] = {}
        self.public_origin = "http://127.0.0.1:4566"

    def head(self, key: str) -> ObjectState | None:
        if self.down:
            raise BucketUnavailable("no answer")
        return self.objects.get(key)

    def read(self, key: str, start: int, size_bytes: int) -> bytes | None:
        if self.down:
            raise BucketUnavailable("no answer")
        return self.bodies[key][start : start + size_bytes] if key in self.bodies else None

    def signed_url(self, key: str) -> str:
        return f"{self.public_origin}/{quote(key)}?signature"


class FakePages:
    """What the pages show of a FakeSource's videos."""

    def __init__(self, source: FakeSource) -> None:
        self.pictures: dict[str, Thumbnails] = {}
        self.seen: dict[int, Fingerprint] = {}
        self.tried: dict[int, list[Attempt]] = {}
        self._source = source

    def find(self, wanted: Filter, *, before: int | None, limit: int) -> list[VideoStatus]:
        """Filters by state and what the key contains; the real one is tested with a real database."""
        videos = self._source.page(BUCKET, before=before, limit=10**9)
        return [
            video
            for video in videos
            if (not wanted.states or video.state in wanted.states)
            and wanted.contains.lower() in video.key.lower()
        ][:limit]

    def thumbnails(self, sha256s: Collection[str]) -> dict[str, Thumbnails]:
        return {each: self.pictures[each] for each in sha256s if each in self.pictures}

    def fingerprints(self, content_ids: Collection[int]) -> dict[int, Fingerprint]:
        return {each: self.seen[each] for each in content_ids if each in self.seen}

    def attempts(self, video_id: int) -> list[Attempt]:
        return self.tried.get(video_id, [])

    def hours(self) -> list[Hour]:
        return [Hour(MOMENT, 3, 1, 0)]

    def troubles(self, limit: int) -> list[VideoStatus]:
        videos = self._source.page(BUCKET, before=None, limit=limit)
        return [video for video in videos if video.state in (State.FAILED, State.REJECTED)]

    def redrive(self) -> int:
        failed = self._source.page(BUCKET, before=None, limit=100, state=State.FAILED)
        for video in failed:
            self._source.put(video.key, State.QUEUED, error=None)
        return len(failed)
