"""Tag, move and delete what a reviewer confirmed, in a real bucket: remembered, resumable, and undone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from inspector import failpoints
from inspector.errors import DecisionRefused, UnknownSubject
from inspector.model import Decision
from inspector.ops.actions import Actions
from inspector.review.actions import ActionKind
from inspector.store import Database
from inspector.store.actions import ActionState
from inspector.store.judgements import Judgement
from tests.services import Endpoint, Places, places_at
from tests.shelf import Shelf, empty

ANN = "ann"


class Stockroom(Shelf):
    """A shelf whose videos are objects of a bucket."""

    def __init__(self, places: Places, db: Database) -> None:
        super().__init__(db, places.bucket.name)
        self.s3 = places.bucket
        self.actions = Actions(db, places.bucket)

    def store(self, key: str, film: str) -> None:
        self.s3.put(key, film.encode())
        self.put(key, film, found=self.s3.head(key))

    def duplicates(self, keep: str, *others: str) -> int:
        """Store them, and decide that the first is kept. Returns the decision's number."""
        for key in (keep, *others):
            self.store(key, key)
        self.alike(keep, *others)
        return self.decide(keep)

    def decide(self, keep: str) -> int:
        (group,) = self.reviews.groups().items
        said = Judgement(group.id, Decision.DUPLICATE, group.revision, keep)
        (outcome,) = self.reviews.decide([said], actor=ANN).outcomes
        assert outcome.number is not None
        return outcome.number

    def act(self, kind: ActionKind, *, prefix: str | None = None, force: bool = False) -> list[str | None]:
        """Do all that is decided. Returns what went wrong, object by object."""
        plan = self.actions.plan(kind, prefix=prefix)
        return [done.error for done in self.actions.apply(plan, actor=ANN, force=force)]

    def keys(self) -> list[str]:
        return [key for key, _ in self.s3.list_page().objects]

    def undo_all(self) -> list[str | None]:
        ids = [action.id for action in self.actions.page()]
        return [done.error for done in self.actions.undo(ids, actor="bob")]

    def keep_versions(self) -> None:
        self.s3.client.put_bucket_versioning(
            Bucket=self.s3.name, VersioningConfiguration={"Status": "Enabled"}
        )


@pytest.fixture
def room(ministack: Endpoint, shared_database: Database, tmp_path: Path) -> Iterator[Stockroom]:
    empty(shared_database)
    places = places_at(ministack, tmp_path)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    yield Stockroom(places, shared_database)
    failpoints.install(None)


class Crash(BaseException):
    """The process dies here."""


def crash_at(step: str) -> None:
    def strike(reached: str) -> None:
        if reached == step:
            failpoints.install(None)
            raise Crash

    failpoints.install(strike)


def test_a_plan_names_what_goes_and_changes_nothing(room: Stockroom) -> None:
    room.duplicates("a.mp4", "b.mp4", "c.mp4")
    plan = room.actions.plan(ActionKind.MOVE, prefix="trash/")
    assert [(step.key, step.keeper_key, step.target) for step in plan.steps] == [
        ("b.mp4", "a.mp4", "trash/b.mp4"),
        ("c.mp4", "a.mp4", "trash/c.mp4"),
    ]
    assert room.keys() == ["a.mp4", "b.mp4", "c.mp4"]
    assert room.actions.page() == []


def test_nothing_goes_that_was_not_confirmed_with_something_to_keep(room: Stockroom) -> None:
    for key in ("a.mp4", "b.mp4"):
        room.store(key, key)
    room.alike("a.mp4", "b.mp4")
    (group,) = room.reviews.groups().items
    assert room.actions.plan(ActionKind.TAG).steps == ()
    for kind in (Decision.DUPLICATE, Decision.SAME_SOURCE):
        assert room.reviews.decide([Judgement(group.id, kind)], actor=ANN).saved
        assert room.actions.plan(ActionKind.TAG).steps == ()


def test_tags_are_added_to_those_that_are_there_and_restored(room: Stockroom) -> None:
    number = room.duplicates("a (1)?.mp4", "b.mp4")
    room.s3.set_tags("b.mp4", {"owner": "eve"})
    assert room.act(ActionKind.TAG) == [None]
    assert room.s3.tags("b.mp4") == {
        "owner": "eve",
        "inspector:decision": f"d{number}",
        "inspector:duplicate-of": "a _1__.mp4",
    }
    assert room.s3.tags("a (1)?.mp4") == {}
    assert room.undo_all() == [None]
    assert room.s3.tags("b.mp4") == {"owner": "eve"}
    (action,) = room.actions.page()
    assert (action.state, action.actor, action.undone_by) == (ActionState.UNDONE, ANN, "bob")


def test_objects_are_moved_with_their_tags_and_moved_back(room: Stockroom) -> None:
    room.duplicates("a.mp4", "b.mp4")
    room.s3.set_tags("b.mp4", {"owner": "eve"})
    assert room.act(ActionKind.MOVE, prefix="trash/") == [None]
    assert room.keys() == ["a.mp4", "trash/b.mp4"]
    assert room.s3.tags("trash/b.mp4") == {"owner": "eve"}
    assert room.undo_all() == [None]
    assert room.keys() == ["a.mp4", "b.mp4"]


def test_a_deletion_is_undone_where_the_bucket_keeps_versions(room: Stockroom) -> None:
    room.keep_versions()
    room.duplicates("a.mp4", "b.mp4")
    assert room.act(ActionKind.DELETE) == [None]
    assert room.keys() == ["a.mp4"]
    assert room.undo_all() == [None]
    assert room.keys() == ["a.mp4", "b.mp4"]


def test_nothing_is_deleted_for_good_unless_it_is_forced(room: Stockroom) -> None:
    room.duplicates("a.mp4", "b.mp4")
    with pytest.raises(DecisionRefused, match="keeps no versions"):
        room.act(ActionKind.DELETE)
    assert room.keys() == ["a.mp4", "b.mp4"]
    assert room.act(ActionKind.DELETE, force=True) == [None]
    assert room.keys() == ["a.mp4"]
    (error,) = room.undo_all()
    assert "it is gone" in (error or "")


def test_an_object_that_is_not_the_one_decided_on_stays(room: Stockroom) -> None:
    room.duplicates("a.mp4", "b.mp4", "c.mp4", "d.mp4")
    plan = room.actions.plan(ActionKind.MOVE, prefix="trash/")
    room.s3.put("b.mp4", b"another film")
    room.s3.delete("c.mp4")
    room.s3.put("trash/d.mp4", b"what was there before")
    errors = {done.key: done.error or "" for done in room.actions.apply(plan, actor=ANN)}
    assert "overwritten" in errors["b.mp4"]
    assert "gone" in errors["c.mp4"]
    assert "already" in errors["d.mp4"]
    assert room.keys() == ["a.mp4", "b.mp4", "d.mp4", "trash/d.mp4"]


def test_nothing_goes_when_what_is_kept_is_not_there_any_more(room: Stockroom) -> None:
    room.duplicates("a.mp4", "b.mp4")
    plan = room.actions.plan(ActionKind.MOVE, prefix="trash/")
    room.s3.put("a.mp4", b"another film")
    (done,) = room.actions.apply(plan, actor=ANN)
    assert "overwritten" in (done.error or "")
    room.remove("a.mp4")
    plan = room.actions.plan(ActionKind.MOVE, prefix="trash/")
    assert plan.steps == ()
    assert len(plan.refused) == 1


def test_an_undone_decision_condemns_nothing_even_by_an_older_plan(room: Stockroom) -> None:
    number = room.duplicates("a.mp4", "b.mp4")
    plan = room.actions.plan(ActionKind.TAG, numbers=[number])
    assert room.actions.plan(ActionKind.TAG, numbers=[number + 1]).steps == ()
    assert room.reviews.undo([number], actor=ANN).saved
    (done,) = room.actions.apply(plan, actor=ANN)
    assert "taken back" in (done.error or "")
    assert room.actions.plan(ActionKind.TAG).steps == ()


def test_our_own_objects_are_never_touched_and_nothing_is_moved_among_them(room: Stockroom) -> None:
    room.duplicates("a.mp4", ".inspector/thumbnails/b.mp4")
    plan = room.actions.plan(ActionKind.TAG)
    assert (plan.steps, list(plan.left_alone)) == ((), [".inspector/thumbnails/b.mp4"])
    for prefix in (".inspector/trash/", "", None):
        with pytest.raises(DecisionRefused):
            room.actions.plan(ActionKind.MOVE, prefix=prefix)


def test_of_copies_of_the_same_bytes_the_chosen_one_stays(room: Stockroom) -> None:
    for key in ("a.mp4", "b.mp4", "c.mp4"):
        room.store(key, "one film")
    room.decide("b.mp4")
    assert room.act(ActionKind.MOVE, prefix="trash/") == [None, None]
    assert room.keys() == ["b.mp4", "trash/a.mp4", "trash/c.mp4"]


@pytest.mark.parametrize("step", ["act", "act-copied", "act-done"])
def test_a_crash_leaves_an_action_that_is_seen_and_finished(room: Stockroom, step: str) -> None:
    room.duplicates("a.mp4", "b.mp4")
    crash_at(step)
    with pytest.raises(Crash):
        room.act(ActionKind.MOVE, prefix="trash/")
    (action,) = room.actions.unfinished()
    assert (action.step.key, action.state) == ("b.mp4", ActionState.STARTED)
    assert [done.error for done in room.actions.resume()] == [None]
    assert room.keys() == ["a.mp4", "trash/b.mp4"]
    assert room.actions.unfinished() == []
    assert room.undo_all() == [None]
    assert room.keys() == ["a.mp4", "b.mp4"]


def test_a_deletion_that_was_done_before_the_crash_can_be_undone(room: Stockroom) -> None:
    room.keep_versions()
    room.duplicates("a.mp4", "b.mp4")
    crash_at("act-done")
    with pytest.raises(Crash):
        room.act(ActionKind.DELETE)
    assert [done.error for done in room.actions.resume()] == [None]
    crash_at("undo-act")
    with pytest.raises(Crash):
        room.undo_all()
    assert [done.error for done in room.actions.resume()] == [None]
    assert room.keys() == ["a.mp4", "b.mp4"]


def test_what_was_undone_or_never_done_cannot_be_undone(room: Stockroom) -> None:
    room.duplicates("a.mp4", "b.mp4")
    assert room.act(ActionKind.MOVE, prefix="trash/") == [None]
    room.s3.put("b.mp4", b"another film")
    assert "again" in (room.undo_all()[0] or "")
    room.s3.delete("b.mp4")
    assert room.undo_all() == [None]
    assert "nothing to undo" in (room.undo_all()[0] or "")
    with pytest.raises(UnknownSubject):
        room.actions.undo([99], actor=ANN)
