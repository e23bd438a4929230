"""Videos to ask for: rows as an inspection leaves them, made without one."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Final

import numpy as np
from sqlalchemy import text

from inspector.model import (
    AudioInfo,
    Evidence,
    Fingerprint,
    Library,
    Match,
    MediaInfo,
    ObjectState,
    Segment,
    Verdict,
)
from inspector.store import Database, contents, matches, videos
from inspector.store.matches import Pair

CUTS: Final = 60  # of a film of five minutes
_NONE: Final = np.zeros(0)


def finished(db: Database, bucket: str, count: int) -> list[str]:
    """So many finished videos, every two of them duplicates. Returns their keys."""
    keys = [f"films/{number:06}.mp4" for number in range(count)]
    with db.begin() as tx:
        ids = []
        for key in keys:
            sha256 = hashlib.sha256(key.encode()).digest()
            ids.append(contents.save(tx, Library.BUCKET, sha256, _media(), _fingerprint()))
            video_id = videos.enqueue(tx, bucket, key, _object(), sequencer=None)
            tx.execute(
                text("UPDATE videos SET state = 'done', content_id = :content WHERE id = :id"),
                {"content": ids[-1], "id": video_id},
            )
        matches.save(tx, [Pair(a, b, _match()) for a, b in zip(ids[::2], ids[1::2], strict=False)])
    return keys


def queued(db: Database, bucket: str, count: int) -> dict[str, int]:
    """So many videos that nobody has inspected yet: their ids by their keys."""
    with db.begin() as tx:
        return {
            key: videos.enqueue(tx, bucket, key, _object(), sequencer=None)
            for key in (f"live/{number:06}.mp4" for number in range(count))
        }


def _object() -> ObjectState:
    return ObjectState(10_000_000, '"etag"', datetime(2026, 1, 2, tzinfo=UTC))


def _media() -> MediaInfo:
    sound = AudioInfo("aac", 44100, 2)
    return MediaInfo("mov", 300.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 10_000_000, sound, 1, 800_000)


def _fingerprint() -> Fingerprint:
    return Fingerprint(
        300.0,
        np.linspace(2.0, 298.0, CUTS),
        frame_times_s=_NONE,
        frame_hashes=_NONE.astype(np.uint64),
        frame_novelty=_NONE.astype(np.float32),
        motion_hashes=_NONE.astype(np.uint64),
        sound_times_s=_NONE,
        sound_hashes=_NONE.astype(np.uint32),
        sound_weight=_NONE.astype(np.float32),
    )


def _match() -> Match:
    evidence = Evidence(60, 500, 3000, weights={"cuts": 5.0, "frames": 9.0, "sounds": 4.0, "chance": -8.0})
    return Match((Segment(0.0, 300.0, 0.0, 300.0, 0.99),), 1.0, 0.99, Verdict.DUPLICATE, evidence)
