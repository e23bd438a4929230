"""What the web expects of a StatusSource and its ChangeSource; the fake and PostgreSQL both keep it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import pytest

from inspector.api.ports import ChangeSource, StatusSource
from inspector.model import Change, State, VideoStatus


@dataclass(frozen=True, slots=True)
class World:
    """A source, and the deeds of workers that it shows. `changes` makes a listener."""

    source: StatusSource
    changes: Callable[[], ChangeSource]
    bucket: str
    enqueue: Callable[[str], int]
    finish: Callable[[str], None]
    remove: Callable[[str], None]


class StatusSourceContract:
    """Inherit, and provide the fixture `world`."""

    @pytest.fixture
    def world(self) -> World:
        raise NotImplementedError

    def test_a_video_is_found_by_its_exact_key_only(self, world: World) -> None:
        video_id = world.enqueue("/a//b/clip é.mp4")
        found = by_key(world, "/a//b/clip é.mp4")
        assert (found.video_id, found.state, found.bucket) == (video_id, State.QUEUED, world.bucket)
        assert world.source.by_key(world.bucket, "a/b/clip é.mp4") is None
        assert world.source.by_key("other-bucket", "/a//b/clip é.mp4") is None

    def test_a_name_finds_the_newest_video_that_is_still_there(self, world: World) -> None:
        world.enqueue("x/clip.mp4")
        present = world.enqueue("y/clip.mp4")
        world.enqueue("z/clip.mp4")
        world.remove("z/clip.mp4")
        found = world.source.by_name(world.bucket, "clip.mp4")
        assert found is not None
        assert found.video_id == present
        assert world.source.by_name(world.bucket, "y/clip.mp4") is None

    def test_pages_go_from_the_newest_to_the_oldest_without_gap_or_overlap(self, world: World) -> None:
        ids = [world.enqueue(f"{n}.mp4") for n in range(5)]
        first = world.source.page(world.bucket, before=None, limit=2)
        second = world.source.page(world.bucket, before=first[-1].video_id, limit=9)
        assert [s.video_id for s in [*first, *second]] == ids[::-1]

    def test_changes_are_logged_in_order_and_read_in_pieces(self, world: World) -> None:
        before = world.source.changes_after(world.bucket, None, limit=1)
        for key in "abc":
            world.enqueue(key)
        world.finish("b")
        world.remove("a")
        first = world.source.changes_after(world.bucket, before.newest, limit=2)
        rest = world.source.changes_after(world.bucket, first.changes[-1].position, limit=99)
        told = [*first.changes, *rest.changes]
        assert [c.position for c in told] == sorted({c.position for c in told})
        assert first.newest == rest.newest == told[-1].position
        assert first.oldest <= told[0].position
        last = {change.key: change.state for change in told}
        assert last == {"a": State.REMOVED, "b": State.DONE, "c": State.QUEUED}
        assert next(c.state for c in told if c.key == "a") is State.QUEUED
        assert world.source.changes_after(world.bucket, first.newest, limit=9).changes == ()
        assert world.source.changes_after("other-bucket", 0, limit=9).changes == ()

    def test_a_page_may_ask_for_one_state(self, world: World) -> None:
        world.enqueue("a")
        world.enqueue("b")
        world.finish("a")
        done = world.source.page(world.bucket, before=None, limit=9, state=State.DONE)
        assert [s.key for s in done] == ["a"]

    def test_every_change_raises_the_revision(self, world: World) -> None:
        video_id = world.enqueue("a")
        seen = [by_key(world, "a").revision]
        for deed in (world.finish, world.remove, world.enqueue):
            deed("a")
            seen.append(by_key(world, "a").revision)
            assert world.source.revisions([video_id]) == {video_id: seen[-1]}
        assert seen == sorted(set(seen))

    def test_ids_that_nobody_has_are_left_out(self, world: World) -> None:
        video_id = world.enqueue("a")
        assert [s.video_id for s in world.source.by_ids([video_id, 10**9])] == [video_id]
        assert set(world.source.revisions([video_id, 10**9])) == {video_id}
        assert world.source.by_ids([]) == []

    def test_changes_are_heard_once_listening_has_begun(self, world: World) -> None:
        with closing(world.changes()) as changes:
            changes.wait(0.0)
            video_id = world.enqueue("a")
            assert Change("video", video_id) in changes.wait(5.0)

    def test_the_overview_counts_jobs_by_state(self, world: World) -> None:
        world.enqueue("a")
        world.enqueue("b")
        world.finish("b")
        jobs = world.source.overview(world.bucket).jobs
        assert (jobs[State.QUEUED], jobs[State.DONE]) == (1, 1)


def by_key(world: World, key: str) -> VideoStatus:
    found = world.source.by_key(world.bucket, key)
    assert found is not None
    return found
