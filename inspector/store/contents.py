"""Contents and their fingerprints: one row for one sequence of bytes, upserted."""

from __future__ import annotations

import io
import threading
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import (
    ALGORITHM,
    COMPARABLE_SINCE,
    Essence,
    Fingerprint,
    FloatArray,
    Library,
    MediaInfo,
)
from inspector.store.tables import ContentRow, LandmarkRow, MatchRow

_TIMES: Final = ("frame_times_s", "sound_times_s")
_SHARES: Final = ("frame_novelty", "sound_weight")
_HASHES: Final = ("frame_hashes", "motion_hashes", "sound_hashes", "view_hashes", "view_motion")
_COUNTS: Final = ("view_frames", "view_kinds")
media_type: Final = TypeAdapter(MediaInfo)


@dataclass(frozen=True, slots=True)
class KnownContent:
    """A content whose fingerprint is of the present algorithm. searched: its matches are complete."""

    id: int
    duration_s: float
    searched: bool


@dataclass(frozen=True, slots=True)
class StoredContent:
    """A content with all that matching needs."""

    id: int
    sha256: bytes
    fingerprint: Fingerprint
    essence: Essence | None = None


@dataclass(frozen=True, slots=True)
class ContentLook:
    """What a content is, without what it is compared by."""

    sha256: bytes
    media: MediaInfo
    duration_s: float
    cuts_s: tuple[float, ...]


def look_of(tx: Session, content_id: int) -> ContentLook:
    """The content of this id, which must exist."""
    row = tx.execute(
        select(ContentRow.sha256, ContentRow.media, ContentRow.duration_s, ContentRow.cuts_s).where(
            ContentRow.id == content_id
        )
    ).one()
    return ContentLook(row.sha256, media_type.validate_python(row.media), row.duration_s, tuple(row.cuts_s))


def find(tx: Session, library: Library, sha256: bytes) -> KnownContent | None:
    """The content with these bytes, if it needs no decoding."""
    row = tx.execute(
        select(ContentRow.id, ContentRow.duration_s, ContentRow.searched).where(
            ContentRow.library == library, ContentRow.sha256 == sha256, ContentRow.algorithm == ALGORITHM
        )
    ).first()
    return None if row is None else KnownContent(row.id, row.duration_s, row.searched)


def save(
    tx: Session,
    library: Library,
    sha256: bytes,
    media: MediaInfo,
    seen: Fingerprint,
    essence: Essence | None = None,
) -> int:
    """Upsert a content with its fingerprint; its matches are to be searched anew. Returns its id.

    essence: None if nobody could tell for sure.
    """
    values: dict[str, Any] = {
        "media": asdict(media),
        "essence": essence.digest if essence else None,
        "packet_times_ms": list(essence.packet_times_ms) if essence else None,
        "algorithm": seen.algorithm,
        "duration_s": seen.duration_s,
        "truncated": seen.truncated,
        "cuts_s": seen.cuts_s.tolist(),
        "samples": pack(seen),
        "searched": False,
    }
    statement = insert(ContentRow).values(library=library, sha256=sha256, **values)
    statement = statement.on_conflict_do_update(constraint="contents_library_sha256", set_=values)
    return tx.execute(statement.returning(ContentRow.id)).scalar_one()


def comparable(algorithm: int) -> bool:
    """Whether fingerprints of this version can be compared with those of today."""
    return algorithm >= COMPARABLE_SINCE


def load(tx: Session, content_ids: Collection[int]) -> dict[int, StoredContent]:
    """The contents by their ids, those left out whose fingerprints cannot be compared with those of today."""
    rows = tx.scalars(
        select(ContentRow).where(ContentRow.id.in_(content_ids), ContentRow.algorithm >= COMPARABLE_SINCE)
    )
    return {row.id: StoredContent(row.id, row.sha256, _fingerprint(row), _essence(row)) for row in rows}


def with_essence(tx: Session, library: Library, digest: bytes) -> list[int]:
    """The whole contents, none of them cut off, that hold these streams; the oldest first."""
    return list(
        tx.scalars(
            select(ContentRow.id)
            .where(
                ContentRow.essence == digest,
                ContentRow.library == library,
                ContentRow.algorithm == ALGORITHM,
                ContentRow.truncated.is_(False),
            )
            .order_by(ContentRow.id)
        )
    )


def mark_seen(tx: Session, content_id: int) -> None:
    """Its fingerprint and landmarks are of the present algorithm; its matches are to be searched anew."""
    tx.execute(
        update(ContentRow).where(ContentRow.id == content_id).values(algorithm=ALGORITHM, searched=False)
    )


def mark_searched(tx: Session, content_id: int) -> None:
    """All pairs of this content with those committed before it are stored.

    After `touch_neighbours`, which locks this row and others in their order.
    """
    tx.execute(
        update(ContentRow)
        .where(ContentRow.id == content_id, ContentRow.searched.is_(False))
        .values(searched=True)
    )


def touch_neighbours(tx: Session, content_id: int) -> None:
    """Give the content, and all it matches, a new revision: what is shown of them has changed."""
    touch(tx, neighbours(tx, content_id))


def neighbours(tx: Session, content_id: int) -> set[int]:
    """The content and all it matches."""
    pairs = select(MatchRow.content_a, MatchRow.content_b).where(
        or_(MatchRow.content_a == content_id, MatchRow.content_b == content_id)
    )
    return {content_id}.union(*(tuple(pair) for pair in tx.execute(pairs)))


def touch(tx: Session, content_ids: Collection[int]) -> None:
    """Give these contents a new revision. Once in a transaction, with all that it changes:

    the rows are locked in the order of their ids, so that two transactions never wait for each other.
    """
    ids = sorted(content_ids)
    tx.execute(
        select(ContentRow.id)
        .where(ContentRow.id.in_(ids))
        .order_by(ContentRow.id)
        .with_for_update(key_share=True)
    )
    tx.execute(update(ContentRow).where(ContentRow.id.in_(ids)).values(updated_at=func.clock_timestamp()))


def forget(tx: Session, content_id: int) -> None:
    """Delete a content with its fingerprint, landmarks and matches; nothing of it stays behind."""
    tx.execute(delete(LandmarkRow).where(LandmarkRow.content_id == content_id))
    tx.execute(delete(ContentRow).where(ContentRow.id == content_id))


def media_of(row: ContentRow) -> MediaInfo:
    return media_type.validate_python(row.media)


#: numpy parses what stands before an array with `ast`, which counts its depth for all threads together until
#: Python 3.12: of twenty at once, one was told "AST constructor recursion depth mismatch".
_one_reader: Final = threading.Lock()


def pack(seen: Fingerprint) -> bytes:
    """The samples of a fingerprint in little room. Its times are whole milliseconds and its shares of 16 bits
    (see `inspector.fingerprint`), so nothing is lost. Hashes are kept as what differs from the one before.
    """
    arrays: dict[str, Any] = {name: _turned(getattr(seen, name)) for name in _HASHES}
    arrays |= {name: np.diff(getattr(seen, name), prepend=getattr(seen, name)[:1] * 0) for name in _COUNTS}
    arrays |= {name: getattr(seen, name).astype(np.float16) for name in _SHARES}
    arrays |= {name: np.diff(_milliseconds(getattr(seen, name)), prepend=0) for name in _TIMES}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def unpack(samples: bytes) -> dict[str, Any]:
    """The arrays that `pack` packed, by their names in `Fingerprint`."""
    with _one_reader, np.load(io.BytesIO(samples), allow_pickle=False) as packed:
        arrays: dict[str, Any] = {name: np.bitwise_xor.accumulate(packed[name]) for name in _HASHES}
        arrays |= {name: np.cumsum(packed[name], dtype=packed[name].dtype) for name in _COUNTS}
        arrays |= {name: packed[name].astype(np.float32) for name in _SHARES}
        arrays |= {name: np.cumsum(packed[name]) / 1000 for name in _TIMES}
    return arrays


def _turned(hashes: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """The bits of each hash that differ from the one before; from 0, of the first."""
    return np.concatenate((hashes[:1], hashes[1:] ^ hashes[:-1]))


def _milliseconds(times_s: FloatArray) -> NDArray[np.int32]:
    return np.rint(times_s * 1000).astype(np.int32)


def _fingerprint(row: ContentRow) -> Fingerprint:
    return Fingerprint(
        duration_s=row.duration_s,
        cuts_s=np.array(row.cuts_s, dtype=np.float64),
        truncated=row.truncated,
        algorithm=row.algorithm,
        **unpack(row.samples),
    )


def _essence(row: ContentRow) -> Essence | None:
    duration_s = media_of(row).duration_s
    if row.essence is None or row.packet_times_ms is None or duration_s is None:
        return None
    return Essence(row.essence, tuple(row.packet_times_ms), round(duration_s * 1000))
