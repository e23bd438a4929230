"""Who watches the inspector, when they last looked, and what they did about what they found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Double, case, delete, func, insert, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from inspector.store.tables import MonitorRow, RecoveryRow

_FORGOTTEN_AFTER: Final = timedelta(days=1)  # a monitor that nobody runs any more is no alarm
_KEPT: Final = timedelta(days=30)  # of recoveries
_GAP_ROUNDS: Final = 3  # so many missed rounds break the series


@dataclass(frozen=True, slots=True)
class PastRecovery:
    """A recovery that was tried, and how long ago."""

    kind: str
    subject: str
    age_s: float


def record_round(tx: Session, bucket: str, host: str, *, every_s: float, result: str) -> float:
    """A monitor has looked. Returns for how long its rounds have followed each other without a gap."""
    now = func.clock_timestamp()
    unbroken = MonitorRow.at > now - timedelta(seconds=_GAP_ROUNDS * every_s)
    values = {"every_s": every_s, "result": result, "at": now}
    tx.execute(
        postgresql.insert(MonitorRow)
        .values(bucket=bucket, host=host, since=now, **values)
        .on_conflict_do_update(
            index_elements=["bucket", "host"],
            set_={**values, "since": case((unbroken, MonitorRow.since), else_=now)},
        )
    )
    mine = select(_age_s(MonitorRow.since)).where(MonitorRow.bucket == bucket, MonitorRow.host == host)
    return max(0.0, float(tx.scalars(mine).one()))


def age_s(tx: Session, bucket: str) -> float | None:
    """How long ago any monitor has looked; None if none has within a day."""
    now = func.clock_timestamp()
    recent = MonitorRow.at > now - _FORGOTTEN_AFTER
    return tx.scalar(select(_age_s(func.max(MonitorRow.at))).where(MonitorRow.bucket == bucket, recent))


def past_recoveries(tx: Session, bucket: str, *, within_s: float) -> list[PastRecovery]:
    """What was tried lately, by any monitor of this bucket."""
    age = _age_s(RecoveryRow.at)
    rows = tx.execute(
        select(RecoveryRow.kind, RecoveryRow.subject, age).where(RecoveryRow.bucket == bucket, age < within_s)
    )
    return [PastRecovery(*row) for row in rows]


def record_recovery(tx: Session, bucket: str, host: str, *, kind: str, subject: str, reason: str) -> None:
    """A recovery is about to be tried: it counts whatever comes of it."""
    values = {"bucket": bucket, "host": host, "kind": kind, "subject": subject, "reason": reason}
    tx.execute(insert(RecoveryRow).values(values))
    tx.execute(delete(RecoveryRow).where(RecoveryRow.at < func.clock_timestamp() - _KEPT))


def _age_s(moment: Any) -> Any:
    return func.extract("epoch", func.clock_timestamp() - moment).cast(Double)
