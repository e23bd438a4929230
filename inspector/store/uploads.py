"""Uploads in parts that were begun and are not ended: to be listed, resumed, and cleaned up once stale."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from inspector.store.tables import UploadRow

LIFE: Final = timedelta(days=1)  # since it was last asked for


@dataclass(frozen=True, slots=True)
class OpenUpload:
    """upload_id: S3's own name of it.  part_bytes: the size of all parts but the last."""

    id: int
    key: str
    upload_id: str
    size_bytes: int
    part_bytes: int
    created_at: datetime
    expires_at: datetime

    @property
    def part_count(self) -> int:
        return max(1, -(-self.size_bytes // self.part_bytes))


def add(
    tx: Session, bucket: str, key: str, upload_id: str, *, size_bytes: int, part_bytes: int
) -> OpenUpload:
    """Remember an upload that was begun."""
    row = UploadRow(
        bucket=bucket,
        key=key,
        upload_id=upload_id,
        size_bytes=size_bytes,
        part_bytes=part_bytes,
        expires_at=func.clock_timestamp() + LIFE,
    )
    tx.add(row)
    tx.flush()
    tx.refresh(row)
    return _open(row)


def find(tx: Session, bucket: str, number: int) -> OpenUpload | None:
    row = tx.scalars(select(UploadRow).where(UploadRow.bucket == bucket, UploadRow.id == number)).first()
    return None if row is None else _open(row)


def page(tx: Session, bucket: str, *, before: int | None, limit: int) -> list[OpenUpload]:
    """The newest first, from those with an id below `before`."""
    query = select(UploadRow).where(UploadRow.bucket == bucket).order_by(UploadRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(UploadRow.id < before)
    return [_open(row) for row in tx.scalars(query)]


def prolong(tx: Session, number: int) -> None:
    """Somebody goes on with it: it is not stale."""
    later = func.clock_timestamp() + LIFE
    tx.execute(update(UploadRow).where(UploadRow.id == number).values(expires_at=later))


def drop(tx: Session, number: int) -> None:
    """It is ended."""
    tx.execute(delete(UploadRow).where(UploadRow.id == number))


def stale(tx: Session, bucket: str, *, limit: int) -> list[OpenUpload]:
    """Uploads that nobody goes on with; theirs until the transaction ends."""
    query = (
        select(UploadRow)
        .where(UploadRow.bucket == bucket, UploadRow.expires_at < func.clock_timestamp())
        .order_by(UploadRow.expires_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_open(row) for row in tx.scalars(query)]


def _open(row: UploadRow) -> OpenUpload:
    return OpenUpload(
        row.id, row.key, row.upload_id, row.size_bytes, row.part_bytes, row.created_at, row.expires_at
    )
