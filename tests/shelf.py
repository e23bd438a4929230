"""A shelf of inspected videos without any media: rows as the worker leaves them, matches as we like them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import select, text, update

from inspector.model import (
    ALGORITHM,
    Evidence,
    Library,
    Match,
    MediaInfo,
    ObjectState,
    Segment,
    State,
    Verdict,
)
from inspector.store import Database, contents, matches, videos
from inspector.store.matches import Pair
from inspector.store.reviews import Reviews
from inspector.store.tables import Base, ContentRow, VideoRow

BUCKET: Final = "videos"
UPLOADED: Final = datetime(2026, 1, 1, tzinfo=UTC)
RULES: Final = ("resolution", "bitrate", "duration", "codec", "uploaded", "path")


def sha256_of(film: str) -> bytes:
    return hashlib.sha256(film.encode()).digest()


def empty(db: Database) -> None:
    """Forget everything that is kept."""
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    with db.begin() as tx:
        tx.execute(text(f"TRUNCATE {tables} CASCADE"))


class Shelf:
    """Films are contents, called by a name; keys are where they lie."""

    def __init__(self, db: Database, bucket: str = BUCKET) -> None:
        self.db = db
        self.bucket = bucket
        self.reviews = Reviews(db, min_score=0.5, common_from=3, keeper_rules=RULES)

    def put(
        self,
        key: str,
        film: str,
        *,
        height: int = 360,
        duration_s: float = 100.0,
        found: ObjectState | None = None,
    ) -> None:
        """The film lies under this key now, inspected."""
        found = found or ObjectState(1000, f"etag of {film}", UPLOADED)
        content_id = self._content(film, height, duration_s)
        with self.db.begin() as tx:
            video_id = videos.enqueue(tx, self.bucket, key, found, sequencer=None)
            done = {"state": State.DONE, "content_id": content_id}
            tx.execute(update(VideoRow).where(VideoRow.id == video_id).values(**done))
            contents.touch_neighbours(tx, content_id)

    def films(self, *films: str, height: int = 360) -> None:
        """Each film under a key like its name."""
        for film in films:
            self.put(f"{film}.mp4", film, height=height)

    def remove(self, key: str) -> None:
        with self.db.begin() as tx:
            known = videos.find(tx, self.bucket, key)
            assert known is not None
            videos.remove(tx, known, sequencer=None)

    def match(
        self,
        one: str,
        other: str,
        verdict: Verdict = Verdict.DUPLICATE,
        *,
        score: float = 0.9,
        span: tuple[float, float, float, float] = (0.0, 100.0, 0.0, 100.0),
    ) -> None:
        """These films match. span: start and end in the one, start and end in the other."""
        match = Match((Segment(*span, score),), 1.0, score, verdict, Evidence(cuts=3))
        if sha256_of(one) > sha256_of(other):
            one, other, match = other, one, match.flipped()
        with self.db.begin() as tx:
            a, b = (self.content_id(film) for film in (one, other))
            matches.save(tx, [Pair(a, b, match)])
            contents.touch(tx, [a, b])

    def alike(self, *films: str, score: float = 0.9) -> None:
        """Every two of these films are duplicates."""
        for n, one in enumerate(films):
            for other in films[n + 1 :]:
                self.match(one, other, score=score)

    def content_id(self, film: str) -> int:
        with self.db.begin() as tx:
            return tx.scalars(select(ContentRow.id).where(ContentRow.sha256 == sha256_of(film))).one()

    def groups(self, *, undecided: bool | None = None) -> list[set[str]]:
        """The groups as sets of keys, the surest first."""
        found = self.reviews.groups(undecided=undecided).items
        return [{video.key for member in group.members for video in member.videos} for group in found]

    def _content(self, film: str, height: int, duration_s: float) -> int:
        media = MediaInfo(
            "mov",
            duration_s,
            0.0,
            "h264",
            0,
            height * 16 // 9,
            height,
            0,
            25.0,
            False,
            1000,
            bit_rate_bps=800_000,
        )
        with self.db.begin() as tx:
            known = tx.scalar(select(ContentRow.id).where(ContentRow.sha256 == sha256_of(film)))
            if known is not None:
                return known
            row = ContentRow(
                library=Library.BUCKET,
                sha256=sha256_of(film),
                media=asdict(media),
                algorithm=ALGORITHM,
                duration_s=duration_s,
                truncated=False,
                cuts_s=[],
                samples=b"",
                searched=True,
            )
            tx.add(row)
            tx.flush()
            return row.id
