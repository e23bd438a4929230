"""The outbox: what is to be told to the world outside, kept until it was told.

A trigger writes an event in the transaction that ends a job, so that no crash comes between. Workers turn
each event into deliveries, one for each target, and repeat those until they succeed or are given up.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.model import State
from inspector.store.tables import DeliveryRow, OutboxRow, VideoRow

_ERROR_LIMIT: Final = 500
#: The same pair of videos, with the same contents, is one event however often it is found.
_PAIRS: Final = uuid.UUID("6a1f2f0e-8c1b-4f57-9d0f-2f5d5b1f6c11")


class EventKind(StrEnum):
    VIDEO_DONE = "video.done"
    VIDEO_FAILED = "video.failed"
    MATCH_FOUND = "match.found"


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that has happened. facts: the video's row at that moment; of a match, the two contents."""

    id: int
    event_id: str
    kind: EventKind
    video_id: int
    facts: dict[str, Any]
    at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """What is told of an event: one JSON document, always the same however often it is sent."""

    event_id: str
    kind: EventKind
    at: datetime
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message on its way to one target. attempt: the present one, from 1."""

    id: int
    target: str
    message: Message
    attempt: int


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """What is known of a delivery."""

    id: int
    target: str
    event_id: str
    kind: EventKind
    video_id: int
    state: DeliveryState
    attempts: int
    status: int | None
    error: str | None
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


# ---------------------------------------------------------------- from events to deliveries


def take_events(tx: Session, *, limit: int) -> list[Event]:
    """Events that nobody has routed, theirs until the transaction ends."""
    rows = tx.scalars(
        select(OutboxRow)
        .where(OutboxRow.routed.is_(False))
        .order_by(OutboxRow.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [
        Event(row.id, row.event_id, EventKind(row.kind), row.video_id, row.data, row.created_at)
        for row in rows
    ]


def route(tx: Session, event: Event, data: dict[str, Any], targets: Collection[str]) -> None:
    """Tell this of the event to these targets; to none, it is forgotten."""
    if not targets:
        tx.execute(delete(OutboxRow).where(OutboxRow.id == event.id))
        return
    tx.execute(update(OutboxRow).where(OutboxRow.id == event.id).values(routed=True, data=data))
    _deliver(tx, event.id, targets)


def add_pair(
    tx: Session, event: Event, pair: Sequence[tuple[int, int]], data: dict[str, Any], targets: Collection[str]
) -> None:
    """Tell that two videos match, unless that was told. pair: (video id, content id) of each."""
    if not targets:
        return
    name = ":".join(f"{video_id}/{content_id}" for video_id, content_id in sorted(pair))
    statement = (
        insert(OutboxRow)
        .values(
            event_id=str(uuid.uuid5(_PAIRS, name)),
            kind=EventKind.MATCH_FOUND,
            video_id=event.video_id,
            data=data,
            routed=True,
        )
        .on_conflict_do_nothing(index_elements=["event_id"])
        .returning(OutboxRow.id)
    )
    added = tx.scalar(statement)
    if added is not None:
        _deliver(tx, added, targets)


def _deliver(tx: Session, outbox_id: int, targets: Collection[str]) -> None:
    rows = [{"outbox_id": outbox_id, "target": target} for target in sorted(targets)]
    tx.execute(insert(DeliveryRow).values(rows))


def tell_late(tx: Session, content_id: int, others: Collection[int], *, since: datetime) -> None:
    """Have it told that a content matches these others, for each of their videos inspected since then:

    at that time the two could not be compared.
    """
    videos = select(VideoRow).where(
        VideoRow.content_id.in_(others), VideoRow.state == State.DONE, VideoRow.finished_at >= since
    )
    for video in tx.scalars(videos):
        facts = {"content_id": video.content_id, "match_with": content_id}
        event_id = str(uuid.uuid4())
        tx.add(OutboxRow(event_id=event_id, kind=EventKind.MATCH_FOUND, video_id=video.id, data=facts))


# ---------------------------------------------------------------- delivering


def claim(tx: Session, *, lease_s: float) -> Delivery | None:
    """The delivery that is due first, ours for `lease_s`. None if none is due."""
    now = func.clock_timestamp()
    due = (
        select(DeliveryRow.id)
        .where(DeliveryRow.state == DeliveryState.PENDING, DeliveryRow.due_at <= now)
        .order_by(DeliveryRow.due_at)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = tx.scalar(
        update(DeliveryRow)
        .where(DeliveryRow.id == due)
        .values(attempts=DeliveryRow.attempts + 1, due_at=now + timedelta(seconds=lease_s))
        .returning(DeliveryRow)
    )
    if row is None:
        return None
    told = tx.scalars(select(OutboxRow).where(OutboxRow.id == row.outbox_id)).one()
    message = Message(told.event_id, EventKind(told.kind), told.created_at, told.data)
    return Delivery(row.id, row.target, message, row.attempts)


def delivered(tx: Session, delivery: Delivery, status: int | None) -> None:
    """The target has it."""
    _settle(tx, delivery, state=DeliveryState.DELIVERED, status=status, error=None, ended_at=_now())


def give_up(tx: Session, delivery: Delivery, status: int | None, error: str) -> None:
    """The target will not get it."""
    _settle(
        tx, delivery, state=DeliveryState.GIVEN_UP, status=status, error=error[:_ERROR_LIMIT], ended_at=_now()
    )


def put_off(tx: Session, delivery: Delivery, status: int | None, error: str, *, pause_s: float) -> None:
    """Try again after a pause. Others to the same target wait as long, so that a dead one holds up nobody."""
    later = _now() + timedelta(seconds=pause_s)
    _settle(tx, delivery, due_at=later, status=status, error=error[:_ERROR_LIMIT])
    waiting = (
        select(DeliveryRow.id)
        .where(
            DeliveryRow.target == delivery.target,
            DeliveryRow.state == DeliveryState.PENDING,
            DeliveryRow.attempts == 0,
            DeliveryRow.due_at < later,
        )
        .with_for_update(skip_locked=True)
    )
    tx.execute(update(DeliveryRow).where(DeliveryRow.id.in_(waiting)).values(due_at=later))


def _settle(tx: Session, delivery: Delivery, **values: Any) -> None:
    """Another worker may have taken it over meanwhile: then its word counts."""
    tx.execute(
        update(DeliveryRow)
        .where(
            DeliveryRow.id == delivery.id,
            DeliveryRow.attempts == delivery.attempt,
            DeliveryRow.state == DeliveryState.PENDING,
        )
        .values(**values)
    )


def _now() -> Any:
    return func.clock_timestamp()


def forget_old(tx: Session, kept_for: timedelta) -> int:
    """Drop events whose deliveries have all ended, and which are older than that. Returns how many."""
    return len(tx.scalars(delete(OutboxRow).where(*_old(kept_for)).returning(OutboxRow.id)).all())


def count_old(tx: Session, kept_for: timedelta) -> int:
    """How many `forget_old` would drop."""
    return tx.scalar(select(func.count()).where(*_old(kept_for))) or 0


def _old(kept_for: timedelta) -> tuple[ColumnElement[bool], ...]:
    open_ones = select(DeliveryRow.outbox_id).where(DeliveryRow.state == DeliveryState.PENDING)
    return (
        OutboxRow.routed.is_(True),
        OutboxRow.created_at < func.clock_timestamp() - kept_for,
        OutboxRow.id.not_in(open_ones),
    )


# ---------------------------------------------------------------- the log


def log_page(
    tx: Session, *, before: int | None, limit: int, state: DeliveryState | None, target: str | None
) -> list[DeliveryRecord]:
    """Deliveries, the newest first."""
    query = select(DeliveryRow, OutboxRow).join(OutboxRow, OutboxRow.id == DeliveryRow.outbox_id)
    if before is not None:
        query = query.where(DeliveryRow.id < before)
    if state is not None:
        query = query.where(DeliveryRow.state == state)
    if target is not None:
        query = query.where(DeliveryRow.target == target)
    rows = tx.execute(query.order_by(DeliveryRow.id.desc()).limit(limit))
    return [_record(delivery, told) for delivery, told in rows]


def find(tx: Session, delivery_id: int) -> DeliveryRecord | None:
    row = tx.execute(
        select(DeliveryRow, OutboxRow)
        .join(OutboxRow, OutboxRow.id == DeliveryRow.outbox_id)
        .where(DeliveryRow.id == delivery_id)
    ).first()
    return None if row is None else _record(row[0], row[1])


def send_again(tx: Session, delivery_id: int) -> None:
    """Deliver it now, from the first attempt, whatever became of it."""
    tx.execute(
        update(DeliveryRow)
        .where(DeliveryRow.id == delivery_id)
        .values(state=DeliveryState.PENDING, attempts=0, due_at=_now(), ended_at=None)
    )


def _record(row: DeliveryRow, told: OutboxRow) -> DeliveryRecord:
    return DeliveryRecord(
        id=row.id,
        target=row.target,
        event_id=told.event_id,
        kind=EventKind(told.kind),
        video_id=told.video_id,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        status=row.status,
        error=row.error,
        created_at=told.created_at,
        due_at=row.due_at if row.state == DeliveryState.PENDING else None,
        ended_at=row.ended_at,
    )
