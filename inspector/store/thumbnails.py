"""Thumbnails: which pictures of a content lie in the bucket, and which of them have to go.

Named by the content's sha256, so that copies share them and no library is told apart. The pictures themselves
lie in one object, one after the other.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate

from sqlalchemy import delete, exists, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import State
from inspector.settings import RESERVED_PREFIX
from inspector.store.tables import ContentRow, ThumbnailsRow, VideoRow


@dataclass(frozen=True, slots=True)
class Thumbnails:
    """The pictures of one content: when their shots begin, and how many bytes each has."""

    sha256: str
    times_s: tuple[float, ...]
    sizes: tuple[int, ...]

    @property
    def key(self) -> str:
        """Where they lie in the bucket."""
        return key_of(self.sha256)

    @property
    def poster(self) -> int:
        """The number of the picture that shows most: nothing makes a JPEG so large as detail.

        First and last ones are often titles, and are passed over where there are others.
        """
        inner = range(1, len(self.sizes) - 1) if len(self.sizes) > 2 else range(len(self.sizes))
        return max(inner, key=lambda n: self.sizes[n])

    def place(self, number: int) -> tuple[int, int]:
        """Where a picture begins in the object, and its size. Raises IndexError."""
        return [0, *accumulate(self.sizes)][number], self.sizes[number]


def key_of(sha256: str) -> str:
    """The object of a content's pictures: JPEGs in a row, which is what Motion JPEG is."""
    return f"{RESERVED_PREFIX}thumbnails/{sha256}.mjpeg"


def known(tx: Session, sha256: bytes) -> bool:
    """Whether there are pictures of this content already."""
    return tx.scalar(select(ThumbnailsRow.sha256).where(ThumbnailsRow.sha256 == sha256)) is not None


def load(tx: Session, sha256s: Collection[str]) -> dict[str, Thumbnails]:
    """The pictures of these contents (sha256 in hexadecimal), as far as there are any."""
    wanted = [bytes.fromhex(each) for each in sha256s]
    rows = tx.scalars(select(ThumbnailsRow).where(ThumbnailsRow.sha256.in_(wanted))) if wanted else ()
    return {
        row.sha256.hex(): Thumbnails(row.sha256.hex(), tuple(row.times_s), tuple(row.sizes)) for row in rows
    }


def save(tx: Session, sha256: bytes, times_s: Sequence[float], sizes: Sequence[int]) -> None:
    """Note that these pictures lie in the bucket."""
    values = {"times_s": list(times_s), "sizes": list(sizes), "size_bytes": sum(sizes)}
    statement = insert(ThumbnailsRow).values(sha256=sha256, made_at=func.clock_timestamp(), **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["sha256"], set_=values))


def surplus(tx: Session, *, most_bytes: int, limit: int = 100) -> list[bytes]:
    """Contents whose pictures have to go: those that no video names any more, then the oldest of too many.

    Their rows stay locked until the transaction ends; others pass them over.
    """
    named = exists().where(
        VideoRow.content_id == ContentRow.id,
        ContentRow.sha256 == ThumbnailsRow.sha256,
        VideoRow.state != State.REMOVED,
    )
    newer_bytes = func.sum(ThumbnailsRow.size_bytes).over(
        order_by=(named.desc(), ThumbnailsRow.made_at.desc(), ThumbnailsRow.sha256)
    )
    ranked = select(ThumbnailsRow.sha256, named.label("named"), newer_bytes.label("bytes")).subquery()
    too_many = (
        select(ranked.c.sha256).where(~ranked.c.named | (ranked.c.bytes > most_bytes)).limit(limit)
    ).scalar_subquery()
    locked = select(ThumbnailsRow.sha256).where(ThumbnailsRow.sha256.in_(too_many))
    return list(tx.scalars(locked.with_for_update(skip_locked=True)))


def forget(tx: Session, sha256: bytes) -> None:
    """The pictures of this content are gone from the bucket."""
    tx.execute(delete(ThumbnailsRow).where(ThumbnailsRow.sha256 == sha256))
