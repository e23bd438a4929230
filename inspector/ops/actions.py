"""Acting on what a reviewer confirmed: tag, move or delete the copies that are not kept, and undo it.

Everything is written down before and after. The object must still be the one that was decided on, and what is
kept must be there, at the moment of acting. What may be undone says so before it is done.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog

from inspector import failpoints
from inspector.aws.bucket import Bucket
from inspector.errors import (
    DecisionRefused,
    ObjectChanged,
    ObjectForbidden,
    ObjectGone,
)
from inspector.review.actions import ActionKind, Plan, Step, plan_steps, tags_of
from inspector.store import Database, actions
from inspector.store.actions import Action, ActionState, Done
from inspector.store.locks import only_one

log = structlog.get_logger(__name__)

#: What says that this one object is not as it was; the others may well be.
_NOT_THIS_ONE: Final = (DecisionRefused, ObjectGone, ObjectChanged, ObjectForbidden)
_WAIT_S: Final = 10.0  # for another process that acts


OnStep = Callable[[Done], None]


class Actions:
    """Acts on the objects of one bucket. Methods raise DatabaseUnavailable and BucketUnavailable."""

    def __init__(self, db: Database, bucket: Bucket) -> None:
        self._db = db
        self._bucket = bucket

    def plan(
        self, kind: ActionKind, *, prefix: str | None = None, numbers: Collection[int] | None = None
    ) -> Plan:
        """What would be done; nothing is. numbers: by these decisions only. prefix: where `move` puts things.

        Raises DecisionRefused for a prefix that cannot be.
        """
        with self._db.begin() as tx:
            losses = actions.losses(tx, numbers)
        return plan_steps(kind, losses, bucket=self._bucket.name, prefix=prefix)

    def undoable(self, kind: ActionKind) -> bool:
        """Whether an action of this kind can be undone in this bucket."""
        return kind is not ActionKind.DELETE or self._bucket.keeps_versions()

    def apply(
        self, plan: Plan, *, actor: str, force: bool = False, on_step: OnStep = lambda done: None
    ) -> list[Done]:
        """Do what was planned, one object after the other. Whatever cannot be done says why, and is left.

        force: delete also where nothing can be brought back; else that raises DecisionRefused.
        """
        if not force and not self.undoable(plan.kind):
            raise DecisionRefused(
                f"{self._bucket.name} keeps no versions, so what is deleted is gone for good: "
                "enable versioning, or force it"
            )
        run = str(uuid.uuid4())
        done = []
        with self._alone():
            for step in plan.steps:
                done.append(self._apply_step(step, run, actor))
                on_step(done[-1])
        return done

    def undo(self, ids: Collection[int], *, actor: str) -> list[Done]:
        """Undo actions, the latest first. Whatever cannot be undone says why, and is left.

        Raises UnknownSubject.
        """
        with self._alone():
            with self._db.begin() as tx:
                found = actions.load(tx, ids)
            return [self._undo(action, actor) for action in found]

    def resume(self) -> list[Done]:
        """Finish what processes that died have begun, in either direction."""
        with self._alone():
            return [
                self._finish(a) if a.state is ActionState.STARTED else self._finish_undoing(a)
                for a in self.unfinished()
            ]

    def unfinished(self) -> list[Action]:
        """What is in work now, or was begun by a process that died."""
        with self._db.begin() as tx:
            return actions.unfinished(tx)

    def page(self, *, before: int | None = None, limit: int = 50) -> list[Action]:
        """The newest actions first; before: the id to go on from."""
        with self._db.begin() as tx:
            return actions.page(tx, before=before, limit=limit)

    # ------------------------------------------------------------ doing

    def _apply_step(self, step: Step, run: str, actor: str) -> Done:
        try:
            before = self._look(step)
            with self._db.begin() as tx:
                action = actions.start(tx, step, run=run, before=before, actor=actor)
        except _NOT_THIS_ONE as exc:
            return Done(step.key, None, str(exc))
        return self._finish(action)

    def _look(self, step: Step) -> dict[str, Any]:
        """What has to be remembered of an object. Raises if it, or what is kept, is not as it was."""
        self._must_be(step.key, step.etag)
        self._must_be(step.keeper_key, step.keeper_etag)
        if step.target is not None and self._bucket.head(step.target) is not None:
            raise DecisionRefused(f"something lies under {step.target!r} already")
        return {"tags": self._bucket.tags(step.key)} if step.kind is ActionKind.TAG else {}

    def _finish(self, action: Action) -> Done:
        """Do what is written down, or what is left of it to do."""
        failpoints.reach("act")
        try:
            after = self._do(action)
        except _NOT_THIS_ONE as exc:
            log.info("action_failed", action=action.id, error=str(exc))
            with self._db.begin() as tx:
                return Done(action.step.key, actions.fail(tx, action, str(exc)), str(exc))
        failpoints.reach("act-done")
        with self._db.begin() as tx:
            action = actions.finish(tx, action, after)
        log.info("action_done", action=action.id, kind=action.step.kind, key=action.step.key)
        return Done(action.step.key, action)

    def _do(self, action: Action) -> dict[str, Any]:
        step = action.step
        match step.kind:
            case ActionKind.TAG:
                self._must_be(step.key, step.etag)
                tags = tags_of(step, action.before["tags"], action.decision)
                self._bucket.set_tags(step.key, tags)
                return {"tags": tags}
            case ActionKind.MOVE:
                return {"etag": self._move(step.key, step.target or "", step.etag, step.size_bytes)}
            case ActionKind.DELETE:
                return self._delete(step)

    def _move(self, key: str, target: str, etag: str, size_bytes: int) -> str:
        """Copy, then delete. Goes on where it was left: the copy may be there, the original gone."""
        moved = self._bucket.head(target)
        if moved is None:
            self._bucket.copy(key, target, etag)
            failpoints.reach("act-copied")
            moved = self._bucket.head(target)
        if moved is None or moved.size_bytes != size_bytes:
            raise ObjectChanged(f"something else lies under {target!r}")
        if self._bucket.head(key) is not None:
            self._must_be(key, etag)
            self._bucket.delete_exactly(key, etag)
        return moved.etag

    def _delete(self, step: Step) -> dict[str, Any]:
        if self._bucket.head(step.key) is None:  # by us, before we died; or by somebody else
            return {"marker": self._bucket.delete_marker(step.key)}
        self._must_be(step.key, step.etag)
        self._must_be(step.keeper_key, step.keeper_etag)
        return {"marker": self._bucket.delete_exactly(step.key, step.etag)}

    # ------------------------------------------------------------ undoing

    def _undo(self, action: Action, actor: str) -> Done:
        try:
            if action.state is not ActionState.DONE:
                raise DecisionRefused(f"a{action.id} is {action.state}: there is nothing to undo")
            self._check_undoable(action)
            with self._db.begin() as tx:
                action = actions.start_undoing(tx, action, actor)
        except _NOT_THIS_ONE as exc:
            return Done(action.step.key, action, str(exc))
        return self._finish_undoing(action)

    def _check_undoable(self, action: Action) -> None:
        step = action.step
        if step.kind is ActionKind.TAG:
            self._must_be(step.key, step.etag)
            return
        if self._bucket.head(step.key) is not None:
            raise DecisionRefused(f"something lies under {step.key!r} again")
        if step.kind is ActionKind.MOVE:
            self._must_be(step.target or "", action.after["etag"])
        elif action.after.get("marker") is None:
            raise DecisionRefused("it was deleted in a bucket that keeps no versions: it is gone")

    def _finish_undoing(self, action: Action) -> Done:
        failpoints.reach("undo-act")
        try:
            self._undo_it(action)
        except _NOT_THIS_ONE as exc:
            with self._db.begin() as tx:
                return Done(action.step.key, actions.fail_undoing(tx, action, str(exc)), str(exc))
        with self._db.begin() as tx:
            action = actions.finish_undoing(tx, action)
        log.info("action_undone", action=action.id, kind=action.step.kind, key=action.step.key)
        return Done(action.step.key, action)

    def _undo_it(self, action: Action) -> None:
        step = action.step
        match step.kind:
            case ActionKind.TAG:
                self._must_be(step.key, step.etag)
                self._bucket.set_tags(step.key, action.before["tags"])
            case ActionKind.MOVE:
                self._move(step.target or "", step.key, action.after["etag"], step.size_bytes)
            case ActionKind.DELETE:
                if self._bucket.head(step.key) is None:
                    self._bucket.undelete(step.key, action.after["marker"])

    # ------------------------------------------------------------ both

    def _must_be(self, key: str, etag: str) -> None:
        """Raises ObjectGone or ObjectChanged unless this very object lies there."""
        found = self._bucket.head(key)
        if found is None:
            raise ObjectGone(f"{key!r} is gone")
        if found.etag != etag:
            raise ObjectChanged(f"{key!r} was overwritten since it was decided on")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One process acts at a time, so what is in work then belongs to one that died."""
        with only_one(self._db, f"actions:{self._bucket.name}", wait_s=_WAIT_S) as mine:
            if not mine:
                raise DecisionRefused("another process is acting on the objects of this bucket: try again")
            yield
