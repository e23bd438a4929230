"""What the database says at one moment, read whole, so that two moments can be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import text

from inspector.model import ObjectState, State
from inspector.store import Database

_VIDEOS = text(
    """
    SELECT key, state, attempts, etag, size_bytes, last_modified, version_id, sha256,
           lease_token::text AS token, worker_id, reason, error, dead_lettered,
           due_at <= clock_timestamp() AS due, videos.revision
    FROM videos LEFT JOIN contents ON contents.id = videos.content_id
    """
)
_CONTENTS = text("SELECT sha256, searched FROM contents")
_PAIRS = text(
    """
    SELECT a.sha256, b.sha256 FROM matches
    JOIN contents a ON a.id = content_a JOIN contents b ON b.id = content_b
    """
)


@dataclass(frozen=True, slots=True)
class Row:
    """One video and its job. found: what is known to lie there.  due: it may be claimed."""

    found: ObjectState
    state: State
    attempts: int
    sha256: bytes | None
    token: str | None
    worker_id: str | None
    reason: str | None
    error: str | None
    dead_lettered: bool
    due: bool
    revision: int

    @property
    def unfinished(self) -> bool:
        return self.state in (State.QUEUED, State.PROCESSING)

    def same_job(self, other: Row) -> bool:
        """Whether nothing has changed but that time has passed."""
        return replace(self, due=other.due) == other

    def looks_like(self, other: Row) -> bool:
        """Whether people see the same."""
        return self._shown() == other._shown()

    def _shown(self) -> tuple[object, ...]:
        return (self.found.etag, self.state, self.attempts, self.sha256, self.reason, self.error)


@dataclass(frozen=True, slots=True)
class Picture:
    """videos: by key.  contents: sha256 and whether searched.  pairs: sha256s of matches, as stored."""

    videos: dict[str, Row]
    contents: dict[bytes, bool]
    pairs: frozenset[tuple[bytes, bytes]]


def take_picture(db: Database) -> Picture:
    with db.begin() as tx:
        videos = {}
        for row in tx.execute(_VIDEOS):
            found = ObjectState(row.size_bytes, row.etag, row.last_modified, row.version_id)
            sha256 = None if row.sha256 is None else bytes(row.sha256)
            videos[row.key] = Row(
                *(found, State(row.state), row.attempts, sha256, row.token, row.worker_id),
                *(row.reason, row.error, row.dead_lettered, row.due, row.revision),
            )
        contents = {bytes(sha256): searched for sha256, searched in tx.execute(_CONTENTS)}
        pairs = frozenset((bytes(a), bytes(b)) for a, b in tx.execute(_PAIRS))
    return Picture(videos, contents, pairs)
