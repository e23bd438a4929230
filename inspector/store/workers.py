"""Workers' heartbeats, so that everyone sees who is alive, and probes that ingest has seen."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.store.tables import ProbeRow, WorkerRow

_FORGET_AFTER = timedelta(days=1)


def beat(tx: Session, worker_id: str, *, host: str, pid: int, doing: str, breaker_open: bool) -> None:
    """Record that a worker lives, and what it does."""
    now = func.clock_timestamp()
    values = {"host": host, "pid": pid, "doing": doing, "breaker_open": breaker_open, "heartbeat_at": now}
    statement = insert(WorkerRow).values(id=worker_id, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))
    tx.execute(delete(WorkerRow).where(WorkerRow.heartbeat_at < now - _FORGET_AFTER))


def leave(tx: Session, worker_id: str) -> None:
    """A worker has stopped in good order."""
    tx.execute(delete(WorkerRow).where(WorkerRow.id == worker_id))


def any_alive(tx: Session, *, silent_s: float) -> bool:
    """Whether the heart of a worker beat within that time."""
    since = func.clock_timestamp() - timedelta(seconds=silent_s)
    return tx.scalar(select(WorkerRow.id).where(WorkerRow.heartbeat_at > since).limit(1)) is not None


def record_probe(tx: Session, key: str) -> None:
    """Ingest has seen this probe object."""
    tx.execute(insert(ProbeRow).values(key=key).on_conflict_do_nothing())
    tx.execute(delete(ProbeRow).where(ProbeRow.seen_at < func.clock_timestamp() - _FORGET_AFTER))


def probe_seen(tx: Session, key: str) -> bool:
    return tx.scalar(select(ProbeRow.key).where(ProbeRow.key == key)) is not None
