"""What watched folders have uploaded: nothing goes twice, nor comes back after its object was removed."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ARRAY, Text, any_, bindparam, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import FileState
from inspector.store.tables import WatchedFileRow


def known(tx: Session, bucket: str, keys: Collection[str]) -> dict[str, FileState]:
    """How the files looked that were uploaded under these keys."""
    named = bindparam("keys", list(keys), ARRAY(Text()))
    query = select(WatchedFileRow).where(WatchedFileRow.bucket == bucket, WatchedFileRow.key == any_(named))
    return {row.key: FileState(row.size_bytes, row.mtime_ns) for row in tx.scalars(query)}


def remember(tx: Session, bucket: str, key: str, state: FileState) -> None:
    """This file lies in the bucket, as it looks now."""
    values = {
        "size_bytes": state.size_bytes,
        "mtime_ns": state.mtime_ns,
        "uploaded_at": func.clock_timestamp(),
    }
    statement = insert(WatchedFileRow).values(bucket=bucket, key=key, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["bucket", "key"], set_=values))
