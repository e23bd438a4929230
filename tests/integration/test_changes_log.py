"""The log of changes: in the order of the commits, whatever the order of the revisions, and bounded."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from inspector.model import ObjectState, State
from inspector.store import Database, videos
from inspector.store.status import StatusReader

BUCKET = "videos"
OBJECT = ObjectState(10, "etag", datetime(2026, 1, 2, tzinfo=UTC))
KEPT = 100_000


def keys_of(database: Database, after: int = 0) -> list[str]:
    log = StatusReader(database, min_score=0.5).changes_after(BUCKET, after, limit=1000)
    return [change.key for change in log.changes]


def enqueue(tx: Session, key: str) -> None:
    videos.enqueue(tx, BUCKET, key, OBJECT, sequencer=None)


def test_who_has_read_up_to_a_position_has_missed_nothing_before_it(database: Database) -> None:
    with database.begin() as slow:
        enqueue(slow, "slow")  # its revision is given here
        with database.begin() as quick:
            enqueue(quick, "quick")
        reader = StatusReader(database, min_score=0.5)
        position = reader.changes_after(BUCKET, 0, limit=10).newest
        assert keys_of(database) == ["quick"]
    assert keys_of(database, after=position) == ["slow"]
    (change,) = reader.changes_after(BUCKET, position, limit=10).changes
    earlier = reader.changes_after(BUCKET, 0, limit=1).changes[0]
    assert change.revision < earlier.revision


def test_what_is_rolled_back_is_not_logged(database: Database) -> None:
    with database.begin() as tx:
        enqueue(tx, "a")
        tx.rollback()
    assert keys_of(database) == []


def test_every_change_of_one_transaction_is_logged_and_no_lease(database: Database) -> None:
    with database.begin() as tx:
        enqueue(tx, "a")
        tx.execute(text("UPDATE videos SET state = 'processing'"))
        tx.execute(text("UPDATE videos SET due_at = now(), sequencer = '1'"))
    log = StatusReader(database, min_score=0.5).changes_after(BUCKET, 0, limit=10)
    assert [change.state for change in log.changes] == [State.QUEUED, State.PROCESSING]


def test_the_log_keeps_the_last_hundred_thousand_changes(database: Database) -> None:
    with database.begin() as tx:
        enqueue(tx, "old")
    with database.begin() as tx:
        tx.execute(text(f"ALTER TABLE changes ALTER position RESTART WITH {KEPT + 999}"))
    with database.begin() as tx:
        enqueue(tx, "new")
    assert keys_of(database) == ["old", "new"]
    with database.begin() as tx:
        enqueue(tx, "newest")
    assert keys_of(database) == ["new", "newest"]
