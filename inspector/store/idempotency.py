"""Answers to requests that carry an idempotency key, kept for a day."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from inspector.store.tables import IdempotencyRow

KEPT_FOR: Final = timedelta(days=1)
#: A request without an answer after so long died with its process: the next one may take its place.
ABANDONED_AFTER: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to answer the request. A claim that ran out changes nothing any more."""

    caller: str
    key: str
    token: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered, and the hash of what was asked."""

    request_hash: bytes
    status: int
    headers: dict[str, str]
    body: bytes


def claim(tx: Session, caller: str, key: str, request_hash: bytes) -> Claim | Answer | None:
    """The right to answer, or the answer that was given, or None while somebody else is at it.

    A different request that is under way counts as answered: its answer has status 0.
    """
    now = func.clock_timestamp()
    tx.execute(delete(IdempotencyRow).where(IdempotencyRow.expires_at < now))
    token = str(uuid.uuid4())
    mine = {
        "request_hash": request_hash,
        "token": token,
        "status": None,
        "expires_at": now + ABANDONED_AFTER,
    }
    added = tx.execute(
        insert(IdempotencyRow)
        .values(caller=caller, key=key, **mine)
        .on_conflict_do_nothing()
        .returning(IdempotencyRow.token)
    ).first()
    if added is not None:
        return Claim(caller, key, token)
    row = tx.scalars(
        select(IdempotencyRow).where(IdempotencyRow.caller == caller, IdempotencyRow.key == key)
    ).first()
    if row is None or (row.status is None and row.request_hash == request_hash):
        return None
    return Answer(row.request_hash, row.status or 0, row.headers or {}, row.body or b"")


def keep(tx: Session, claimed: Claim, answer: Answer) -> None:
    """Answer this request so from now on."""
    tx.execute(
        update(IdempotencyRow)
        .where(*_of(claimed))
        .values(
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            expires_at=func.clock_timestamp() + KEPT_FOR,
        )
    )


def withdraw(tx: Session, claimed: Claim) -> None:
    """Nothing was done: the request may come again."""
    tx.execute(delete(IdempotencyRow).where(*_of(claimed)))


def _of(claimed: Claim) -> tuple[ColumnElement[bool], ...]:
    return (
        IdempotencyRow.caller == claimed.caller,
        IdempotencyRow.key == claimed.key,
        IdempotencyRow.token == claimed.token,
    )
