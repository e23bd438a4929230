"""Scanning local files: the same engine without S3. Scanned contents form a library of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inspector.errors import MediaRejected, RejectReason
from inspector.model import Library, Match, Verdict, identical_match
from inspector.settings import Settings
from inspector.store import Database, contents
from inspector.store.common import Kin, find_common
from inspector.worker.download import Cancelled
from inspector.worker.inspect import OnProgress, examine, recalling, search, store_content


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A file and the content it holds."""

    path: Path
    content_id: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class ScanMatch:
    """Two files that share material; the match as seen from the query."""

    query: ScannedFile
    reference: ScannedFile
    match: Match


class Scan:
    """Looks at files, and finds what they share. Thread-safe."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db = db
        self._settings = settings

    def look_at(self, path: Path, *, cancelled: Cancelled, on_progress: OnProgress) -> ScannedFile:
        """Fingerprint a file, unless its bytes or its streams are known.

        Raises MediaRejected, OSError or ToolFailed.
        """
        sha256 = _sha256(path)
        with self._db.begin() as tx:
            known = contents.find(tx, Library.SCAN, sha256)
        if known is None:
            seen = examine(
                path,
                self._settings,
                recall=recalling(self._db, Library.SCAN),
                cancelled=cancelled,
                on_progress=on_progress,
            )
            with self._db.begin() as tx:
                known = store_content(tx, Library.SCAN, sha256, seen)
        return ScannedFile(path, known.id, known.duration_s)

    def matches(
        self,
        queries: Sequence[ScannedFile],
        references: Sequence[ScannedFile] | None,
        *,
        cancelled: Cancelled,
    ) -> Iterator[list[ScanMatch]]:
        """What each query shares with the references, one list a query, the surest match first.

        references: None compares the queries with each other. Each unordered pair is told once, by the query
        that comes first.
        """
        pool = queries if references is None else references
        by_content: dict[int, list[ScannedFile]] = {}
        for file in pool:
            by_content.setdefault(file.content_id, []).append(file)
        told: set[frozenset[Path]] = set()
        for query in queries:
            pairs = [
                ScanMatch(query, other, match)
                for content_id, match in self._matches_of(query, frozenset(by_content), cancelled)
                for other in by_content[content_id]
                if other.path != query.path and frozenset((query.path, other.path)) not in told
            ]
            told |= {frozenset((query.path, pair.reference.path)) for pair in pairs}
            yield sorted(pairs, key=lambda pair: (-pair.match.score, pair.reference.path))

    def _matches_of(
        self, query: ScannedFile, among: frozenset[int], cancelled: Cancelled
    ) -> list[tuple[int, Match]]:
        """(content, match as seen from the query) for each content among those given."""
        found = [(query.content_id, identical_match(query.duration_s))] if query.content_id in among else []
        for pair in search(self._db, Library.SCAN, query.content_id, cancelled, among=among):
            if pair.content_a == query.content_id:
                found.append((pair.content_b, pair.match))
            else:
                found.append((pair.content_a, pair.match.flipped()))
        return found


def label_common(pairs: Sequence[ScanMatch], *, least: int) -> list[ScanMatch]:
    """The same pairs, with the verdict `common` where it is due (see `inspector.store.common`)."""
    found: dict[int, dict[int, Match]] = {}
    kin: set[Kin] = set()
    for pair in pairs:
        query, reference, match = pair.query, pair.reference, pair.match
        found.setdefault(query.content_id, {})[reference.content_id] = match
        found.setdefault(reference.content_id, {})[query.content_id] = match.flipped()
        if match.verdict is not Verdict.PARTIAL:
            part, whole = sorted((query, reference), key=lambda file: (file.duration_s, file.content_id))
            kin.add(Kin(whole.content_id, part.content_id, match.verdict))
    common = {one: find_common(one, list(others.items()), kin, least=least) for one, others in found.items()}
    return [
        replace(pair, match=replace(pair.match, verdict=Verdict.COMMON))
        if pair.reference.content_id in common[pair.query.content_id]
        else pair
        for pair in pairs
    ]


def _sha256(path: Path) -> bytes:
    if not path.is_file():
        raise MediaRejected(RejectReason.NOT_MEDIA, "no regular file")
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise MediaRejected(RejectReason.EMPTY)
        return hashlib.file_digest(file, "sha256").digest()
