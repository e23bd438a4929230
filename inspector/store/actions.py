"""The journal of what is done to objects: written down before and after, so that a crash leaves a trace."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from inspector.errors import DecisionRefused, UnknownSubject
from inspector.model import Library, State
from inspector.review import Holding, Losses, find_losses
from inspector.review.actions import ActionKind, Step
from inspector.store import decisions
from inspector.store.tables import ActionRow, ContentRow, DecisionRow, VideoRow


class ActionState(StrEnum):
    """STARTED and UNDOING are in work; of a process that died they tell what may be half done."""

    STARTED = "started"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Action:
    """One thing done to one object. before: what an undoing brings back; after: what was made of it."""

    id: int
    run: str
    step: Step
    decision: int  # its number
    state: ActionState
    before: dict[str, Any]
    after: dict[str, Any]
    error: str | None
    actor: str
    started_at: datetime
    finished_at: datetime | None
    undone_by: str | None
    undone_at: datetime | None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of one step. action: None if nothing was begun, for the reason that `error` gives."""

    key: str
    action: Action | None
    error: str | None = None


def losses(tx: Session, numbers: Collection[int] | None) -> Losses:
    """What the decisions in force condemn among what is there now; of these decisions only, if given.

    All decisions are looked at in any case: what one of them keeps, another may condemn.
    """
    everything = decisions.confirmed(tx)
    sha256s = {sha256 for each in everything for sha256 in (each.keeper, each.loser)}
    query = (
        select(VideoRow, ContentRow.sha256)
        .join(ContentRow, ContentRow.id == VideoRow.content_id)
        .where(ContentRow.sha256.in_(sha256s), ContentRow.library == Library.BUCKET)
        .where(VideoRow.state == State.DONE)
    )
    holdings = [
        Holding(v.id, v.bucket, v.key, v.etag, v.version_id, v.size_bytes, bytes(sha256))
        for v, sha256 in tx.execute(query)
    ]
    found = find_losses(everything, holdings)
    if numbers is None:
        return found
    wanted = {each.decision_id for each in decisions.confirmed(tx, numbers)}
    return Losses(
        tuple(loss for loss in found.losses if loss.decision_id in wanted),
        {decision_id: why for decision_id, why in found.refused.items() if decision_id in wanted},
    )


def start(tx: Session, step: Step, *, run: str, before: dict[str, Any], actor: str) -> Action:
    """Write down what is about to be done. Raises DecisionRefused if it was undecided, or is in work."""
    if not decisions.in_force(tx, step.decision_id):
        raise DecisionRefused("the decision was taken back meanwhile")
    row = ActionRow(
        run=run, kind=step.kind, state=ActionState.STARTED, decision_id=step.decision_id, bucket=step.bucket,
        key=step.key, etag=step.etag, version_id=step.version_id, size_bytes=step.size_bytes,
        keeper_key=step.keeper_key, keeper_etag=step.keeper_etag, target=step.target, before=before,
        actor=actor,
    )  # fmt: skip
    tx.add(row)
    _flush(tx, step.key)
    tx.refresh(row)
    return _action(tx, row)


def finish(tx: Session, action: Action, after: dict[str, Any]) -> Action:
    return _end(tx, action, ActionState.DONE, after=after, finished_at=func.clock_timestamp())


def fail(tx: Session, action: Action, error: str) -> Action:
    """Nothing was done, and why."""
    return _end(tx, action, ActionState.FAILED, error=error, finished_at=func.clock_timestamp())


def start_undoing(tx: Session, action: Action, actor: str) -> Action:
    """Raises DecisionRefused if the object is in work already."""
    undoing = _end(tx, action, ActionState.UNDOING, undone_by=actor)
    _flush(tx, action.step.key)
    return undoing


def finish_undoing(tx: Session, action: Action) -> Action:
    return _end(tx, action, ActionState.UNDONE, undone_at=func.clock_timestamp(), error=None)


def fail_undoing(tx: Session, action: Action, error: str) -> Action:
    """It is as it was done, and why it stays so."""
    return _end(tx, action, ActionState.DONE, undone_by=None, error=error)


def load(tx: Session, ids: Collection[int]) -> list[Action]:
    """These actions, the newest first. Raises UnknownSubject if one is missing."""
    rows = tx.scalars(select(ActionRow).where(ActionRow.id.in_(ids)).order_by(ActionRow.id.desc())).all()
    if missing := sorted(set(ids) - {row.id for row in rows}):
        raise UnknownSubject(f"there is no action a{missing[0]}")
    return [_action(tx, row) for row in rows]


def page(tx: Session, *, before: int | None, limit: int) -> list[Action]:
    """The newest actions first, those with an id below `before`."""
    query = select(ActionRow).order_by(ActionRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(ActionRow.id < before)
    return [_action(tx, row) for row in tx.scalars(query)]


def unfinished(tx: Session) -> list[Action]:
    """What is in work, or was when its process died; the oldest first."""
    in_work = ActionRow.state.in_([ActionState.STARTED, ActionState.UNDOING])
    return [_action(tx, row) for row in tx.scalars(select(ActionRow).where(in_work).order_by(ActionRow.id))]


def _end(tx: Session, action: Action, state: ActionState, **values: Any) -> Action:
    tx.execute(update(ActionRow).where(ActionRow.id == action.id).values(state=state, **values))
    return load(tx, [action.id])[0]


def _flush(tx: Session, key: str) -> None:
    try:
        tx.flush()
    except IntegrityError as exc:
        raise DecisionRefused(f"{key!r} is in work already: `inspector review apply --resume`") from exc


def _action(tx: Session, row: ActionRow) -> Action:
    decision = tx.get_one(DecisionRow, row.decision_id)
    step = Step(
        kind=ActionKind(row.kind), decision_id=row.decision_id, bucket=row.bucket, key=row.key, etag=row.etag,
        version_id=row.version_id, size_bytes=row.size_bytes, keeper_key=row.keeper_key,
        keeper_etag=row.keeper_etag, target=row.target,
    )  # fmt: skip
    return Action(
        id=row.id, run=row.run, step=step, decision=decision.number, state=ActionState(row.state),
        before=row.before or {}, after=row.after or {}, error=row.error, actor=row.actor,
        started_at=row.started_at, finished_at=row.finished_at, undone_by=row.undone_by,
        undone_at=row.undone_at,
    )  # fmt: skip
