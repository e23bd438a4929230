"""The steps of an inspection, from a file to its matches.

Two commits, in this order: a fingerprint is committed before its search starts. Of two videos inspected
at the same moment the later to commit then always sees the earlier, so no pair is lost to a race.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from sqlalchemy.orm import Session

from inspector import failpoints, tracing
from inspector.aws.bucket import Bucket
from inspector.errors import Interrupted
from inspector.fingerprint import Fingerprinter
from inspector.matching import compare, find_candidates, make_landmarks, query_landmarks
from inspector.matching.identity import displace, displace_match, displacement_ms, match_streams
from inspector.media import Place, decode_media, probe_media, read_essence
from inspector.metrics import CANDIDATES, MATCHES, MEDIA_SECONDS, STEP_SECONDS
from inspector.model import Essence, Fingerprint, Lease, Library, Match, MediaInfo, Progress
from inspector.settings import Settings
from inspector.store import Database, contents, jobs, landmarks, matches
from inspector.store.contents import KnownContent, StoredContent
from inspector.store.matches import Pair
from inspector.worker.checkpoints import Checkpoints
from inspector.worker.download import Cancelled, Downloads
from inspector.worker.thumbnails import ThumbnailMaker

log = structlog.get_logger(__name__)

_LOADED_AT_ONCE: Final = 16  # fingerprints in memory while candidates are compared
_ESSENCE_SHARE: Final = 0.02  # of an inspection's time, while packets are read

OnProgress = Callable[[Progress], None]
Recall = Callable[[Essence], Fingerprint | None]


class Inspection:
    """Inspects videos of one bucket. Every write is fenced by the lease."""

    def __init__(self, db: Database, bucket: Bucket, settings: Settings) -> None:
        self._db = db
        self._downloads = Downloads(bucket, settings)
        self._settings = settings
        self._thumbnails = ThumbnailMaker(db, bucket, settings)

    def run(
        self,
        lease: Lease,
        *,
        cancelled: Cancelled,
        on_progress: OnProgress,
        on_done: Callable[[], None] = lambda: None,
    ) -> None:
        """Take a claimed job to `done`, and make thumbnails then.

        Raises MediaRejected, ObjectGone, ObjectChanged, LeaseLost, Interrupted, or any error that a retry
        may overcome. The download is deleted in every case.
        """
        with self._downloads.room_for(lease.object) as folder:
            path = folder / "video"
            content = self._see(lease, path, cancelled, on_progress)
            found = [] if content.searched else search(self._db, Library.BUCKET, content.id, cancelled)
            with timed("store"), self._db.begin() as tx:
                jobs.lock(tx, lease)
                matches.save(tx, found)
                jobs.finish(tx, lease, content.id)
                contents.mark_searched(tx, content.id)
                matches.drop_outdated(tx, content.id)
            on_done()
            for pair in found:
                MATCHES.labels(pair.match.verdict).inc()
            self._thumbnails.make(path, content.id, cancelled)

    def _see(self, lease: Lease, path: Path, cancelled: Cancelled, on_progress: OnProgress) -> KnownContent:
        """The content of the video: recognised by its bytes, else looked at and committed."""
        with timed("download"), path.open("wb") as file:
            sha256 = self._downloads.fetch(lease.key, lease.object, file, cancelled)
        with self._db.begin() as tx:
            known = contents.find(tx, Library.BUCKET, sha256)
        if known is not None:
            log.info("content_known", key=lease.key)
            return known
        seen = examine(
            path,
            self._settings,
            recall=recalling(self._db, Library.BUCKET),
            cancelled=cancelled,
            on_progress=on_progress,
            keeping=lambda media: Checkpoints(self._db, lease, sha256, media, self._settings),
        )
        with timed("store"), self._db.begin() as tx:
            jobs.lock(tx, lease)
            content = store_content(tx, Library.BUCKET, sha256, seen)
            jobs.name_content(tx, lease, content.id)
        return content


class Examined(NamedTuple):
    """What a file is, what was seen and heard in it, and which streams it holds, if that is sure."""

    media: MediaInfo
    fingerprint: Fingerprint
    essence: Essence | None


def examine(
    path: Path,
    settings: Settings,
    *,
    recall: Recall,
    cancelled: Cancelled,
    on_progress: OnProgress,
    keeping: Callable[[MediaInfo], Checkpoints] | None = None,
) -> Examined:
    """Probe a file and read its packets; decode it only if nobody can recall a file with the same streams.

    keeping: where checkpoints of it are kept. None: nobody will go on if we stop.
    Raises MediaRejected, or a ToolFailed.
    """
    with timed("probe"):
        media = probe_media(path, settings, cancelled=cancelled)
    with timed("essence"):
        essence = read_essence(
            path, media, settings, on_progress=_part(on_progress, 0, _ESSENCE_SHARE), cancelled=cancelled
        )
        recalled = recall(essence) if essence else None
    if recalled is not None:
        log.info("streams_known")
        return Examined(media, recalled, essence)
    checkpoints = keeping(media) if keeping else None
    on_progress = _part(on_progress, _ESSENCE_SHARE, 1)
    return Examined(media, _watch(path, media, settings, checkpoints, cancelled, on_progress), essence)


def _part(on_progress: OnProgress, start: float, end: float) -> OnProgress:
    """Reports the progress of one part of the work as that of the whole."""
    return lambda progress: on_progress(Progress(start + (end - start) * progress.fraction, progress.eta_s))


def _watch(
    path: Path,
    media: MediaInfo,
    settings: Settings,
    checkpoints: Checkpoints | None,
    cancelled: Cancelled,
    on_progress: OnProgress,
) -> Fingerprint:
    """Decode a file once, from where an attempt before this one has come to."""
    resumed = checkpoints.resume() if checkpoints else None
    place, fingerprinter = resumed or (None, Fingerprinter(media.aspect))

    def keep(place: Place, done: float) -> None:
        if checkpoints:
            with timed("checkpoint"):
                checkpoints.keep(place, fingerprinter, _ESSENCE_SHARE + (1 - _ESSENCE_SHARE) * done)

    with timed("decode"):
        decoded = decode_media(
            path,
            media,
            settings,
            on_frames=fingerprinter.add_frames,
            on_sound=fingerprinter.add_sound,
            on_progress=on_progress,
            cancelled=cancelled,
            place=place,
            on_place=keep,
        )
    MEDIA_SECONDS.inc(decoded.duration_s)
    with timed("fingerprint"):
        return fingerprinter.finish(decoded.duration_s, truncated=decoded.truncated)


def recalling(db: Database, library: Library) -> Recall:
    """A function that finds the fingerprint of a whole content with the same streams, if there is one."""

    def recall(essence: Essence) -> Fingerprint | None:
        with db.begin() as tx:
            ids = contents.with_essence(tx, library, essence.digest)[:_LOADED_AT_ONCE]
            known = contents.load(tx, ids).values()
        for content in sorted(known, key=lambda content: content.id):
            displaced_ms = displacement_ms(content.essence, essence)
            if displaced_ms is not None:
                return displace(content.fingerprint, displaced_ms)
        return None

    return recall


def store_content(tx: Session, library: Library, sha256: bytes, seen: Examined) -> KnownContent:
    """The first commit of an inspection: from now on other searches find this content."""
    content_id = contents.save(tx, library, sha256, seen.media, seen.fingerprint, seen.essence)
    landmarks.replace(tx, library, content_id, make_landmarks(seen.fingerprint))
    return KnownContent(content_id, seen.fingerprint.duration_s, searched=False)


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
            twins = _twins(tx, library, mine, among)
            told = _told_by_twins(tx, mine, twins)
        found = {candidate.content_id for candidate in find_candidates(postings)}
        candidates = sorted(found.union(twin.id for twin in twins))
    pairs: list[Pair] = []
    for start in range(0, len(candidates), _LOADED_AT_ONCE):
        with timed("compare"), db.begin() as tx:
            others = contents.load(tx, candidates[start : start + _LOADED_AT_ONCE])
        for other in others.values():
            if cancelled():
                raise Interrupted("the search was cancelled")
            if other.id in told:
                pairs.append(_pair(mine, other, told[other.id]))
            else:
                pairs.extend(compare_contents(mine, other))
        CANDIDATES.inc(len(others))
    return pairs


def _twins(
    tx: Session, library: Library, mine: StoredContent, among: Collection[int] | None
) -> list[StoredContent]:
    """The other contents with the same streams at the same times."""
    if mine.essence is None:
        return []
    ids = contents.with_essence(tx, library, mine.essence.digest)
    others = contents.load(tx, [i for i in ids if i != mine.id and (among is None or i in among)])
    return [c for c in others.values() if displacement_ms(mine.essence, c.essence) is not None]


def _told_by_twins(tx: Session, mine: StoredContent, twins: Sequence[StoredContent]) -> dict[int, Match]:
    """Matches of a content that need no comparison: with its twins, and those that a twin has.

    Which of them hold for this content too is known; that there are no others is not.
    """
    told: dict[int, Match] = {}
    for twin in twins:
        displaced_ms = displacement_ms(twin.essence, mine.essence) or 0
        if not told:
            others = matches.seen_from(tx, twin.id).items()
            told |= {i: displace_match(match, displaced_ms) for i, match in others}
        told[twin.id] = match_streams(mine.fingerprint, twin.fingerprint, -displaced_ms)
    return told


def compare_contents(one: StoredContent, other: StoredContent) -> list[Pair]:
    """The match of two contents, if there is one; the same whichever of them came first."""
    a, b = sorted((one, other), key=lambda content: content.sha256)
    displaced_ms = displacement_ms(a.essence, b.essence)
    if displaced_ms is not None:
        streams = match_streams(a.fingerprint, b.fingerprint, displaced_ms)
        return [Pair(a.id, b.id, streams, _older(a, b))]
    match = compare(a.fingerprint, b.fingerprint)
    return [] if match is None else [Pair(a.id, b.id, match, _older(a, b))]


def _pair(one: StoredContent, other: StoredContent, match: Match) -> Pair:
    """The match as it is stored. match: as seen from `one`."""
    if one.sha256 < other.sha256:
        return Pair(one.id, other.id, match, _older(one, other))
    return Pair(other.id, one.id, match.flipped(), _older(one, other))


def _older(one: StoredContent, other: StoredContent) -> int:
    """The algorithm that their match is of."""
    return min(one.fingerprint.algorithm, other.fingerprint.algorithm)


@contextmanager
def timed(step: str) -> Iterator[None]:
    """Measure a step of the inspection."""
    failpoints.reach(step)
    with tracing.span(step), STEP_SECONDS.labels(step).time():
        yield
    failpoints.reach(f"{step}-done")
