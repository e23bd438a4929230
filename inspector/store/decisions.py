"""What people decided: a history of entries that never change, and which of them is in force.

Entries speak of bytes (sha256), so they hold for the same contents after they were renamed, inspected again,
or removed and uploaded again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, aliased

from inspector.errors import DecisionOutdated, DecisionRefused, UnknownSubject
from inspector.model import Decision, Library
from inspector.review import Confirmed
from inspector.store.tables import ContentRow, DecisionRow, StandingDecisionRow

WHOLE: Final = -1  # in place of a stretch's times: the decision is about a pair of contents

Ids = tuple[int, int]  # of two contents, ascending


@dataclass(frozen=True, slots=True)
class About:
    """What an entry speaks of: two contents (a the smaller sha256), copies of one, or a stretch of one."""

    sha256_a: bytes
    sha256_b: bytes
    start_ms: int = WHOLE
    end_ms: int = WHOLE


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing to be remembered. keep: sha256 and key of what is kept, of a duplicate."""

    about: About
    kind: Decision
    keep: tuple[bytes, str] | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A decision as it was made: all its entries have its number.

    made_on: the revision that was looked at.  undone: the number of the undoing, if there is one.
    undoes: the numbers of the decisions that it takes back.
    """

    number: int
    kind: Decision
    subject: str
    entries: tuple[Entry, ...]
    actor: str
    note: str | None
    made_on: int | None
    made_at: datetime
    undone: int | None
    undoes: tuple[int, ...] = ()


def record(
    tx: Session, entries: Sequence[Entry], *, subject: str, actor: str, made_on: int | None, note: str | None
) -> int:
    """Add a decision to the history, and put it in force. Returns its number."""
    number = next_number(tx)
    for entry in entries:
        keep_sha256, keep_key = entry.keep or (None, None)
        row = DecisionRow(
            number=number,
            subject=subject,
            kind=entry.kind,
            sha256_a=entry.about.sha256_a,
            sha256_b=entry.about.sha256_b,
            start_ms=entry.about.start_ms,
            end_ms=entry.about.end_ms,
            keep_sha256=keep_sha256,
            keep_key=keep_key,
            made_on=made_on,
            actor=actor,
            note=note,
        )
        tx.add(row)
        tx.flush()
        _put_in_force(tx, entry.about, row.id)
    return number


def undo(tx: Session, number: int, *, actor: str, note: str | None) -> tuple[int, list[About]]:
    """Take a decision back: what was in force before is so again. Returns the undoing's number, and of what.

    Raises UnknownSubject; DecisionRefused if it was undone already, DecisionOutdated if it was decided anew.
    """
    rows = tx.scalars(select(DecisionRow).where(DecisionRow.number == number).order_by(DecisionRow.id)).all()
    if not rows:
        raise UnknownSubject(f"there is no decision d{number}")
    if rows[0].kind == Decision.UNDO:
        raise DecisionRefused(f"d{number} is an undoing itself: decide again instead")
    if undone := _undone(tx, [rows[0].id]):
        raise DecisionRefused(f"d{number} was undone already, by d{next(iter(undone.values()))}")
    undoing = next_number(tx)
    for row in rows:
        about = _about(row)
        standing = _standing_id(tx, about)
        if standing != row.id:
            later = tx.get(DecisionRow, standing) if standing else None
            changes = (f"{later.actor} decided d{later.number}: {later.kind}",) if later else ()
            raise DecisionOutdated(f"d{number} is no longer in force", changes)
        tx.add(
            DecisionRow(
                number=undoing, subject=row.subject, kind=Decision.UNDO, undoes=row.id,
                actor=actor, note=note,
                sha256_a=row.sha256_a, sha256_b=row.sha256_b, start_ms=row.start_ms, end_ms=row.end_ms,
            )
        )  # fmt: skip
        tx.flush()
        _put_in_force(tx, about, _latest_before(tx, about))
    return undoing, [_about(row) for row in rows]


def standing_among(
    tx: Session, sha256s: Collection[bytes]
) -> dict[tuple[bytes, bytes], tuple[Decision, int]]:
    """What is in force for pairs of these contents (copies: a pair with itself), and its entry's id."""
    query = (
        select(DecisionRow.sha256_a, DecisionRow.sha256_b, DecisionRow.kind, DecisionRow.id)
        .join(StandingDecisionRow, StandingDecisionRow.decision_id == DecisionRow.id)
        .where(StandingDecisionRow.sha256_a.in_(sha256s), StandingDecisionRow.sha256_b.in_(sha256s))
        .where(StandingDecisionRow.start_ms == WHOLE)
    )
    return {(bytes(a), bytes(b)): (Decision(kind), row) for a, b, kind, row in tx.execute(query)}


def standing_entry(tx: Session, about: About) -> Entry | None:
    """What is in force, with what is kept."""
    row = tx.get(DecisionRow, _standing_id(tx, about) or 0)
    return None if row is None else _entry(row)


def decided_about(tx: Session, content_ids: Collection[int]) -> dict[Ids, Decision]:
    """What is in force for these contents and any others, by the ids of both."""
    if not content_ids:
        return {}
    a, b = aliased(ContentRow), aliased(ContentRow)
    query = (
        select(a.id, b.id, DecisionRow.kind)
        .join(StandingDecisionRow, StandingDecisionRow.sha256_a == a.sha256)
        .join(b, and_(StandingDecisionRow.sha256_b == b.sha256, b.library == a.library))
        .join(DecisionRow, DecisionRow.id == StandingDecisionRow.decision_id)
        .where(StandingDecisionRow.start_ms == WHOLE, a.library == Library.BUCKET)
        .where(or_(a.id.in_(content_ids), b.id.in_(content_ids)))
    )
    return {pair_of(one, other): Decision(kind) for one, other, kind in tx.execute(query)}


def last_said(tx: Session, about: About, since: int = 0) -> DecisionRow | None:
    """The last entry about it with a revision above `since`, an undoing too."""
    query = select(DecisionRow).where(*_is_about(DecisionRow, about), DecisionRow.revision > since)
    return tx.scalar(query.order_by(DecisionRow.id.desc()).limit(1))


def confirmed(tx: Session, numbers: Collection[int] | None = None) -> list[Confirmed]:
    """The duplicates in force that name what is kept; of these decisions only, if numbers are given."""
    query = (
        select(DecisionRow)
        .join(StandingDecisionRow, StandingDecisionRow.decision_id == DecisionRow.id)
        .where(DecisionRow.kind == Decision.DUPLICATE, DecisionRow.keep_sha256.is_not(None))
    )
    if numbers is not None:
        query = query.where(DecisionRow.number.in_(numbers))
    return [_confirmed(row) for row in tx.scalars(query.order_by(DecisionRow.id))]


def in_force(tx: Session, decision_id: int) -> bool:
    """Whether an entry still is what counts."""
    query = select(StandingDecisionRow.decision_id).where(StandingDecisionRow.decision_id == decision_id)
    return tx.scalar(query) is not None


def page(
    tx: Session, *, before: int | None, limit: int, about: Collection[bytes] | None = None
) -> list[Made]:
    """The newest decisions first, those with a number below `before`; about: of these contents only."""
    numbers = select(DecisionRow.number).group_by(DecisionRow.number)
    if before is not None:
        numbers = numbers.where(DecisionRow.number < before)
    if about is not None:
        numbers = numbers.where(or_(DecisionRow.sha256_a.in_(about), DecisionRow.sha256_b.in_(about)))
    wanted = tx.scalars(numbers.order_by(DecisionRow.number.desc()).limit(limit)).all()
    return made(tx, wanted)


def made(tx: Session, numbers: Collection[int]) -> list[Made]:
    """The decisions with these numbers, the newest first."""
    rows: dict[int, list[DecisionRow]] = defaultdict(list)
    for row in tx.scalars(
        select(DecisionRow).where(DecisionRow.number.in_(numbers)).order_by(DecisionRow.id)
    ):
        rows[row.number].append(row)
    undone = _undone(tx, [row.id for each in rows.values() for row in each])
    undoes = _numbers(tx, [row.undoes for each in rows.values() for row in each if row.undoes])
    return [_made(rows[number], undone, undoes) for number in sorted(rows, reverse=True)]


def pair_of(one: int, other: int) -> Ids:
    return (one, other) if one < other else (other, one)


def next_number(tx: Session) -> int:
    """A number that nothing else has: decisions and revisions share one sequence."""
    number: int = tx.execute(text("SELECT nextval('revisions')")).scalar_one()
    return number


def _put_in_force(tx: Session, about: About, decision_id: int | None) -> None:
    """From now on this entry counts; None: nothing does."""
    if decision_id is None:
        tx.execute(delete(StandingDecisionRow).where(*_is_about(StandingDecisionRow, about)))
        return
    key = {
        "sha256_a": about.sha256_a,
        "sha256_b": about.sha256_b,
        "start_ms": about.start_ms,
        "end_ms": about.end_ms,
    }
    statement = insert(StandingDecisionRow).values(**key, decision_id=decision_id)
    tx.execute(statement.on_conflict_do_update(index_elements=list(key), set_={"decision_id": decision_id}))


def _latest_before(tx: Session, about: About) -> int | None:
    """The latest entry about it that was not undone."""
    undoing = aliased(DecisionRow)
    query = (
        select(DecisionRow.id)
        .where(*_is_about(DecisionRow, about), DecisionRow.kind != Decision.UNDO)
        .where(~select(undoing.id).where(undoing.undoes == DecisionRow.id).exists())
    )
    return tx.scalar(query.order_by(DecisionRow.id.desc()).limit(1))


def _standing_id(tx: Session, about: About) -> int | None:
    return tx.scalar(select(StandingDecisionRow.decision_id).where(*_is_about(StandingDecisionRow, about)))


def _undone(tx: Session, ids: Collection[int]) -> dict[int, int]:
    """By the ids of entries: the number of what undid them."""
    query = select(DecisionRow.undoes, DecisionRow.number).where(DecisionRow.undoes.in_(ids))
    return {undone: number for undone, number in tx.execute(query) if undone is not None}


def _numbers(tx: Session, ids: Collection[int]) -> dict[int, int]:
    query = select(DecisionRow).where(DecisionRow.id.in_(ids))
    return {row.id: row.number for row in tx.scalars(query)}


def _is_about(
    table: type[DecisionRow] | type[StandingDecisionRow], about: About
) -> tuple[ColumnElement[bool], ...]:
    return (
        table.sha256_a == about.sha256_a,
        table.sha256_b == about.sha256_b,
        table.start_ms == about.start_ms,
        table.end_ms == about.end_ms,
    )


def _about(row: DecisionRow) -> About:
    return About(bytes(row.sha256_a), bytes(row.sha256_b), row.start_ms, row.end_ms)


def _entry(row: DecisionRow) -> Entry:
    keep = (bytes(row.keep_sha256), row.keep_key or "") if row.keep_sha256 is not None else None
    return Entry(_about(row), Decision(row.kind), keep)


def _confirmed(row: DecisionRow) -> Confirmed:
    keeper = bytes(row.keep_sha256 or b"")
    loser = bytes(row.sha256_b) if keeper == bytes(row.sha256_a) else bytes(row.sha256_a)
    return Confirmed(row.id, keeper, loser, row.keep_key or "")


def _made(rows: Sequence[DecisionRow], undone: dict[int, int], undoes: dict[int, int]) -> Made:
    first = rows[0]
    return Made(
        number=first.number,
        kind=Decision(first.kind),
        subject=first.subject,
        entries=tuple(_entry(row) for row in rows),
        actor=first.actor,
        note=first.note,
        made_on=first.made_on,
        made_at=first.made_at,
        undone=next((undone[row.id] for row in rows if row.id in undone), None),
        undoes=tuple(sorted({undoes[row.undoes] for row in rows if row.undoes})),
    )
