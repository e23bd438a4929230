"""Old results brought up to date with a new algorithm, while there is nothing else to do.

Old results stay until the new ones are there: first the new fingerprint replaces the old one, then its
matches with all others, of whichever generation, replace theirs; a match that only the old algorithm saw goes
once both of its ends have been searched anew. A new upload is compared with both generations all the while,
or, where the old one cannot be compared any more, with each content of it as that is brought up to date; such
matches are told to the world outside as those of the upload would have been.

Two workers at the same content would store the same: results depend on the bytes alone. So a lock that dies
with its connection is enough, and no lease is needed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from inspector.aws.bucket import Bucket
from inspector.errors import InspectorError, Interrupted, ObjectChanged, ObjectGone, Unavailable, told
from inspector.matching import make_landmarks
from inspector.metrics import REINDEXED
from inspector.model import ALGORITHM, SEEN_SINCE, Library
from inspector.settings import Settings
from inspector.store import Database, contents, landmarks, matches, outbox, reindexing
from inspector.store.locks import only_one
from inspector.store.reindexing import START, Outdated, Place
from inspector.worker.download import Downloads
from inspector.worker.ingest import Ingest
from inspector.worker.inspect import examine, recalling, search, store_content

log = structlog.get_logger(__name__)

_REST_S: Final = 60.0  # when nothing is left, until it is looked for again
_CHOICE: Final = 64  # more than there are workers, so that each finds one that no other is at


class Reindex:
    """Brings the contents of one bucket up to date, one after the other."""

    def __init__(
        self,
        db: Database,
        bucket: Bucket,
        ingest: Ingest,
        settings: Settings,
        *,
        stop: threading.Event,
        seen_since: int = SEEN_SINCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """seen_since: fingerprints of this version need no second look."""
        self._db = db
        self._ingest = ingest
        self._settings = settings
        self._stop = stop
        self._seen_since = seen_since
        self._downloads = Downloads(bucket, settings)
        self._clock = clock
        self._after: Place = START
        self._rests_until = 0.0

    def run_once(self) -> bool:
        """Bring one content up to date, if that is wanted. Returns whether one was taken in hand.

        Raises Unavailable.
        """
        if self._clock() < self._rests_until:
            return False
        with self._db.begin() as tx:
            if not reindexing.is_wanted(tx):
                return False
            choice = reindexing.next_outdated(
                tx, self._after, max_attempts=self._settings.max_attempts, limit=_CHOICE
            )
        if not choice and self._after == START:
            self._rests_until = self._clock() + _REST_S
        elif not choice:
            self._after = START  # what has failed, or was left by a worker that died, may be behind us
        return any(self._take(content) for content in choice)

    def _take(self, content: Outdated) -> bool:
        """Bring this one up to date. Returns whether it was ours to do."""
        if self._stop.is_set():
            return False
        self._after = content.place
        with only_one(self._db, f"reindex:{content.id}") as mine:
            if not mine or not self._still_outdated(content):
                return False
            try:
                REINDEXED.labels(self._renew(content)).inc()
            except Interrupted:
                return False
            except Unavailable:
                raise
            except (ObjectGone, ObjectChanged):
                self._ingest.look_at(content.key)
            except Exception as exc:
                self._note_fault(content, exc)
        return True

    def _renew(self, content: Outdated) -> str:
        """The two commits of an inspection. Returns how it was done."""
        how = "searched"
        if content.algorithm < self._seen_since:
            self._see(content)
            how = "decoded"
        elif content.algorithm < ALGORITHM:
            self._read(content)
            how = "from_fingerprint"
        found = search(self._db, Library.BUCKET, content.id, self._stop.is_set)
        with self._db.begin() as tx:
            matches.save(tx, found)
            contents.touch_neighbours(tx, content.id)
            contents.mark_searched(tx, content.id)
            matches.drop_outdated(tx, content.id)
            if not contents.comparable(content.algorithm) or content.algorithm == ALGORITHM:
                others = {pair.content_a for pair in found} | {pair.content_b for pair in found}
                outbox.tell_late(tx, content.id, others - {content.id}, since=reindexing.started_at(tx))
            reindexing.forget_fault(tx, content.id)
        log.info("content_renewed", key=content.key, was=content.algorithm, how=how)
        return how

    def _see(self, content: Outdated) -> None:
        """Look at the bytes again. Raises MediaRejected, ObjectGone, ObjectChanged, or a ToolFailed."""
        with self._downloads.room_for(content.found) as folder:
            path = folder / "video"
            with path.open("wb") as file:
                sha256 = self._downloads.fetch(content.key, content.found, file, self._stop.is_set)
            if sha256 != content.sha256:
                raise ObjectChanged(f"{content.key!r} holds other bytes")
            seen = examine(
                path,
                self._settings,
                recall=recalling(self._db, Library.BUCKET),
                cancelled=self._stop.is_set,
                on_progress=lambda progress: None,
            )
        with self._db.begin() as tx:
            store_content(tx, Library.BUCKET, content.sha256, seen)

    def _read(self, content: Outdated) -> None:
        """Make landmarks of the fingerprint that is kept."""
        with self._db.begin() as tx:
            known = contents.load(tx, [content.id])[content.id]
            landmarks.replace(tx, Library.BUCKET, content.id, make_landmarks(known.fingerprint))
            contents.mark_seen(tx, content.id)

    def _still_outdated(self, content: Outdated) -> bool:
        with self._db.begin() as tx:
            return reindexing.is_outdated(tx, content.id)

    def _note_fault(self, content: Outdated, exc: Exception) -> None:
        """Keep the old results, and try again later."""
        if isinstance(exc, InspectorError):
            log.warning("content_not_renewed", key=content.key, error=str(exc))
        else:
            log.error("renewal_broke", key=content.key, exc_info=exc)
        REINDEXED.labels("failed").inc()
        with self._db.begin() as tx:
            reindexing.note_fault(tx, content.id, told(exc))
