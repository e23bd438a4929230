"""The steps of an inspection, from a file to its matches.

Two commits, in this order: a fingerprint is committed before its search starts. Of two videos inspected
at the same moment the later to commit then always sees the earlier, so no pair is lost to a race.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import structlog
from sqlalchemy.orm import Session

from inspector import failpoints
from inspector.aws.bucket import Bucket
from inspector.errors import Interrupted, MediaRejected, RejectReason, ScratchFull
from inspector.fingerprint import Fingerprinter
from inspector.matching import compare, find_candidates, make_landmarks, query_landmarks
from inspector.media import decode_media, probe_media
from inspector.metrics import CANDIDATES, MATCHES, MEDIA_SECONDS, STEP_SECONDS
from inspector.model import Fingerprint, Lease, Library, MediaInfo, Progress
from inspector.settings import Settings
from inspector.store import Database, contents, jobs, landmarks, matches
from inspector.store.contents import KnownContent, StoredContent
from inspector.store.matches import Pair
from inspector.worker.scratch import scratch_folder

log = structlog.get_logger(__name__)

_LOADED_AT_ONCE: Final = 16  # fingerprints in memory while candidates are compared

Cancelled = Callable[[], bool]  # asked often; true, or an error of its own, ends the inspection
OnProgress = Callable[[Progress], None]


class Inspection:
    """Inspects videos of one bucket. Every write is fenced by the lease."""

    def __init__(self, db: Database, bucket: Bucket, settings: Settings) -> None:
        self._db = db
        self._bucket = bucket
        self._settings = settings

    def run(self, lease: Lease, *, cancelled: Cancelled, on_progress: OnProgress) -> None:
        """Take a claimed job to `done`.

        Raises MediaRejected, ObjectGone, ObjectChanged, LeaseLost, Interrupted, or any error that a retry
        may overcome. The download is deleted in every case.
        """
        content = self._see(lease, cancelled, on_progress)
        found = [] if content.searched else search(self._db, Library.BUCKET, content.id, cancelled)
        with timed("store"), self._db.begin() as tx:
            jobs.lock(tx, lease)
            matches.save(tx, found)
            jobs.finish(tx, lease, content.id)
            contents.mark_searched(tx, content.id)
        for pair in found:
            MATCHES.labels(pair.match.verdict).inc()

    def _see(self, lease: Lease, cancelled: Cancelled, on_progress: OnProgress) -> KnownContent:
        """The content of the video: recognised by its bytes, else looked at and committed."""
        with self._scratch_folder(lease.object.size_bytes) as folder:
            path = folder / "video"
            with timed("download"), path.open("wb") as file:
                sha256 = self._download(lease, file, cancelled)
            with self._db.begin() as tx:
                known = contents.find(tx, Library.BUCKET, sha256)
            if known is not None:
                log.info("content_known", key=lease.key)
                return known
            media, seen = examine(path, self._settings, cancelled=cancelled, on_progress=on_progress)
        with timed("store"), self._db.begin() as tx:
            jobs.lock(tx, lease)
            content = store_content(tx, Library.BUCKET, sha256, media, seen)
            jobs.name_content(tx, lease, content.id)
        return content

    def _scratch_folder(self, size_bytes: int) -> AbstractContextManager[Path]:
        """Room for an object of this size. Raises MediaRejected or ScratchFull."""
        if size_bytes == 0:
            raise MediaRejected(RejectReason.EMPTY)
        if size_bytes > self._settings.max_size_bytes:
            raise _too_large(self._settings.max_size_bytes)
        needed_bytes = size_bytes + self._settings.scratch_reserve_bytes
        return scratch_folder(self._settings.scratch, needed_bytes=needed_bytes)

    def _download(self, lease: Lease, file: BinaryIO, cancelled: Cancelled) -> bytes:
        """Fetch the object that the job is about. Returns the sha256 of its bytes."""
        sink = _Sink(file, self._settings.max_size_bytes, cancelled)
        self._bucket.download(lease.key, sink, version_id=lease.object.version_id, expected=lease.object)
        return sink.sha256.digest()


class _Sink:
    """Writes a download to a file, computes its sha256 on the way, and keeps to the size limit."""

    def __init__(self, file: BinaryIO, most_bytes: int, cancelled: Cancelled) -> None:
        self.sha256 = hashlib.sha256()
        self._file = file
        self._room_bytes = self._most_bytes = most_bytes
        self._cancelled = cancelled

    def write(self, data: bytes) -> None:
        if self._cancelled():
            raise Interrupted("the download was cancelled")
        self._room_bytes -= len(data)
        if self._room_bytes < 0:
            raise _too_large(self._most_bytes)
        self.sha256.update(data)
        try:
            self._file.write(data)
        except OSError as exc:
            raise ScratchFull(f"the download could not be written: {exc.strerror}") from exc


def _too_large(most_bytes: int) -> MediaRejected:
    return MediaRejected(RejectReason.TOO_LARGE_BYTES, f"the limit is {most_bytes} bytes")


def examine(
    path: Path, settings: Settings, *, cancelled: Cancelled, on_progress: OnProgress
) -> tuple[MediaInfo, Fingerprint]:
    """Probe a file, then decode it once. Raises MediaRejected, or a ToolFailed."""
    with timed("probe"):
        media = probe_media(path, settings, cancelled=cancelled)
    fingerprinter = Fingerprinter()
    with timed("decode"):
        decoded = decode_media(
            path,
            media,
            settings,
            on_frames=fingerprinter.add_frames,
            on_sound=fingerprinter.add_sound,
            on_progress=on_progress,
            cancelled=cancelled,
        )
    MEDIA_SECONDS.inc(decoded.duration_s)
    with timed("fingerprint"):
        return media, fingerprinter.finish(decoded.duration_s, truncated=decoded.truncated)


def store_content(
    tx: Session, library: Library, sha256: bytes, media: MediaInfo, seen: Fingerprint
) -> KnownContent:
    """The first commit of an inspection: from now on other searches find this content."""
    content_id = contents.save(tx, library, sha256, media, seen)
    landmarks.replace(tx, library, content_id, make_landmarks(seen))
    return KnownContent(content_id, seen.duration_s, searched=False)


def search(
    db: Database,
    library: Library,
    content_id: int,
    cancelled: Cancelled,
    *,
    among: Collection[int] | None = None,
) -> list[Pair]:
    """All matches of a committed content with those of its library that were committed before it.

    among: only these contents, if given.
    """
    with timed("search"):
        with db.begin() as tx:
            mine = contents.load(tx, [content_id])[content_id]
            query = query_landmarks(mine.fingerprint)
            postings = landmarks.look_up(tx, library, content_id, query, among=among)
        candidates = sorted(candidate.content_id for candidate in find_candidates(postings))
    pairs: list[Pair] = []
    for start in range(0, len(candidates), _LOADED_AT_ONCE):
        with timed("compare"), db.begin() as tx:
            others = contents.load(tx, candidates[start : start + _LOADED_AT_ONCE])
        for other in others.values():
            if cancelled():
                raise Interrupted("the search was cancelled")
            pairs.extend(compare_contents(mine, other))
        CANDIDATES.inc(len(others))
    return pairs


def compare_contents(one: StoredContent, other: StoredContent) -> list[Pair]:
    """The match of two contents, if there is one; the same whichever of them came first."""
    a, b = sorted((one, other), key=lambda content: content.sha256)
    match = compare(a.fingerprint, b.fingerprint)
    return [] if match is None else [Pair(a.id, b.id, match)]


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Measure a step of the inspection."""
    failpoints.reach(step)
    with STEP_SECONDS.labels(step).time():
        yield
    failpoints.reach(f"{step}-done")
