"""The web application over a real database, with videos put there without inspecting anything."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from flask import Flask
from sqlalchemy import text

from inspector.api import create_app
from inspector.api.v1 import Adapters
from inspector.aws import Bucket, Queue, make_s3, make_signer, make_sqs
from inspector.errors import RejectReason
from inspector.model import (
    Evidence,
    Fingerprint,
    Lease,
    Library,
    Match,
    MediaInfo,
    ObjectState,
    Segment,
    State,
    Verdict,
)
from inspector.ops.actions import Actions
from inspector.settings import Settings
from inspector.store import Database, contents, jobs, matches, videos
from inspector.store.listen import ChangeListener
from inspector.store.matches import Pair
from inspector.store.shown import PageReader
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_uploads
from inspector.wiring.reviews import make_reviews
from tests.services import settings_for_test

OBJECT = ObjectState(10, "etag", datetime(2026, 1, 1, tzinfo=UTC))
MEDIA = MediaInfo("mp4", 10.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 10)
NOWHERE = "http://127.0.0.1:9"  # nobody listens there


class Shelf:
    """Puts videos into the database, in the state that a test needs."""

    def __init__(self, db: Database, bucket: str) -> None:
        self.db = db
        self.bucket = bucket

    def put(self, key: str, state: State = State.QUEUED, *, same_as: str | None = None) -> int:
        """A video in this state; same_as: its bytes are those that this key stood for. Returns its id."""
        with self.db.begin() as tx:
            video_id = videos.enqueue(tx, self.bucket, key, OBJECT, sequencer=None)
        if state is State.REMOVED:
            self.remove(key)
        elif state is not State.QUEUED:
            lease = self.claim(key)
            with self.db.begin() as tx:
                if state is State.DONE:
                    jobs.finish(tx, lease, self.content(same_as or key))
                elif state is State.REJECTED:
                    jobs.reject(tx, lease, RejectReason.NOT_MEDIA, "no video")
                elif state is State.FAILED:
                    jobs.retry(tx, lease, "broken", pause_s=0)
        return video_id

    def content(self, name: str) -> int:
        with self.db.begin() as tx:
            sha256 = name.encode()[:32].ljust(32)
            known = contents.find(tx, Library.BUCKET, sha256)
            return known.id if known else contents.save(tx, Library.BUCKET, sha256, MEDIA, fingerprint())

    def match(self, one: str, other: str, verdict: Verdict, *, score: float = 0.9) -> None:
        """The contents that these keys stood for share material."""
        a, b = sorted((one, other))
        match = Match((Segment(0.0, 4.0, 2.0, 6.0, score),), 1.0, score, verdict, Evidence(cuts=3, frames=9))
        pair = Pair(self.content(a), self.content(b), match)
        with self.db.begin() as tx:
            matches.save(tx, [pair])
            contents.touch_neighbours(tx, pair.content_a)

    def remove(self, key: str) -> None:
        with self.db.begin() as tx:
            known = videos.find(tx, self.bucket, key)
            assert known is not None
            videos.remove(tx, known, sequencer=None)

    def claim(self, key: str, *, max_attempts: int = 1) -> Lease:
        """Claim this job before all others."""
        with self.db.begin() as tx:
            tx.execute(text("UPDATE videos SET priority = -1 WHERE key = :key"), {"key": key})
            lease = jobs.claim(tx, "w", lease_s=60, max_attempts=max_attempts)
            tx.execute(text("UPDATE videos SET priority = 0"))
        assert lease is not None
        assert lease.key == key
        return lease

    def state(self, key: str) -> State:
        with self.db.begin() as tx:
            known = videos.find(tx, self.bucket, key)
        assert known is not None
        return known.state


def fingerprint() -> Fingerprint:
    """Of ten seconds with two cuts."""
    none = np.zeros(0)
    return Fingerprint(
        duration_s=10.0,
        cuts_s=np.array([1.0, 2.5]),
        frame_times_s=none,
        frame_hashes=none.astype(np.uint64),
        frame_novelty=none.astype(np.float32),
        motion_hashes=none.astype(np.uint64),
        sound_times_s=none,
        sound_hashes=none.astype(np.uint32),
        sound_weight=none.astype(np.float32),
    )


def rest_settings(data_dir: Path, **values: Any) -> Settings:
    """Settings whose S3 and SQS are nowhere, unless a test says otherwise."""
    return settings_for_test(
        **{"data_dir": data_dir, "bucket": "videos", "aws_endpoint_url": NOWHERE, "poll_wait_s": 1, **values}
    )


def rest_app(db: Database, settings: Settings) -> Flask:
    """The whole application over this database."""
    bucket = Bucket(make_s3(settings, read_timeout_s=2), settings.bucket, make_signer(settings))
    sqs = make_sqs(settings, read_timeout_s=2)
    queue = Queue(sqs, settings.queue, settings.dead_letter_queue)
    statuses = StatusReader(db, min_score=settings.min_score, common_from=settings.common_from)
    return create_app(
        settings,
        statuses,
        lambda: ChangeListener(db),
        bucket,
        adapters=Adapters(
            db, bucket, queue, make_uploads(settings), make_reviews(settings, db), Actions(db, bucket)
        ),
        page_source=PageReader(db, statuses, settings.bucket),
        queue=queue,
    )
