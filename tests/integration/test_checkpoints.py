"""A long video goes on where the worker before stopped, and nobody can tell from what is stored."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from sqlalchemy import func, select, text

from inspector import failpoints
from inspector.errors import DatabaseUnavailable, LeaseLost, ToolKilled
from inspector.freezing import freeze
from inspector.model import Fingerprint, Lease, State
from inspector.store import Database, checkpoints, contents, jobs
from inspector.store.checkpoints import Basis
from inspector.store.tables import CheckpointRow, ContentRow, LandmarkRow
from tests.film import SHOTS, cut_together, cuts_of, make
from tests.integration.test_inspection import House
from tests.services import Endpoint, places_at

SEGMENT_S: Final = 4.0


@pytest.fixture(scope="session")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """15 s with sound, in four segments; a key frame every second."""
    folder = tmp_path_factory.mktemp("long")
    pictures = cut_together(folder / "pictures.mp4")
    noise = ("-f", "lavfi", "-i", "anoisesrc=color=pink:seed=1:d=14.5,tremolo=f=1.5:d=0.9")
    h264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "25", "-c:a", "aac", "-shortest")
    return make(folder / "long.mp4", "-i", str(pictures), *noise, *h264)


@pytest.fixture
def house(ministack: Endpoint, database: Database, tmp_path: Path) -> Iterator[House]:
    places = places_at(ministack, tmp_path, idle_poll_s=0.05, retry_pause_s=0, segment_s=SEGMENT_S)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    yield House(places, database)
    failpoints.install(None)


def killed_at(step: str, times: int) -> None:
    """Let the attempt end as if ffmpeg had been killed when the step is reached for the so manieth time."""
    seen = itertools.count(1)

    def hook(name: str) -> None:
        if name == step and next(seen) == times:
            raise ToolKilled("ffmpeg was ended by SIGKILL")

    failpoints.install(hook)


def stored(house: House) -> tuple[Any, ...]:
    """The one content, with all that was made of it."""
    with house.db.begin() as tx:
        (row,) = tx.scalars(select(ContentRow)).all()
        marks = tx.execute(
            select(LandmarkRow.token, LandmarkRow.time_ms, LandmarkRow.checked).order_by(
                LandmarkRow.token, LandmarkRow.time_ms, LandmarkRow.checked
            )
        ).all()
        return row.sha256, row.duration_s, row.truncated, row.cuts_s, row.samples, row.media, marks


def kept(house: House) -> int:
    with house.db.begin() as tx:
        return tx.scalar(select(func.count()).select_from(CheckpointRow)) or 0


def fingerprint(house: House) -> Fingerprint:
    with house.db.begin() as tx:
        (content_id,) = tx.scalars(select(ContentRow.id)).all()
        return contents.load(tx, [content_id])[content_id].fingerprint


def forget_everything(house: House) -> None:
    with house.db.begin() as tx:
        tx.execute(text("TRUNCATE videos, contents, landmarks, matches CASCADE"))


@pytest.fixture(scope="session")
def remembered() -> list[tuple[Any, ...]]:
    """What an undisturbed inspection stores, once somebody has looked."""
    return []


@pytest.fixture
def whole(house: House, long_film: Path, remembered: list[tuple[Any, ...]]) -> tuple[Any, ...]:
    """What an undisturbed inspection stores."""
    if not remembered:
        assert house.inspect(long_film).state is State.DONE
        remembered.append(stored(house))
        forget_everything(house)
    return remembered[0]


@pytest.mark.parametrize(("step", "segment"), [("checkpoint", 1), ("checkpoint", 3), ("checkpoint-done", 2)])
def test_an_interrupted_inspection_stores_the_rows_of_an_undisturbed_one(
    house: House, long_film: Path, whole: tuple[Any, ...], step: str, segment: int
) -> None:
    killed_at(step, segment)
    status = house.inspect(long_film)
    done = segment - (step == "checkpoint")
    assert (status.state, status.attempts, kept(house)) == (State.QUEUED, 1, done)
    assert status.progress == pytest.approx(done * SEGMENT_S / 14.5, abs=0.05)
    reached: list[str] = []
    failpoints.install(reached.append)
    house.worker().run_once()
    assert house.status(long_film.name).state is State.DONE
    assert reached.count("checkpoint-done") == 3 - done
    assert stored(house) == whole
    assert kept(house) == 0


def test_the_next_claim_shows_the_progress_that_was_kept(house: House, long_film: Path) -> None:
    killed_at("checkpoint-done", 2)
    house.inspect(long_film)
    shown: list[float] = []
    failpoints.install(lambda step: shown.append(house.status(long_film.name).progress))
    house.worker().run_once()
    assert min(shown) >= 2 * SEGMENT_S / 14.6
    assert shown == sorted(shown)


def test_segments_leave_no_visible_seam(house: House, long_film: Path) -> None:
    house.inspect(long_film)
    segments = fingerprint(house)
    forget_everything(house)
    house.settings = house.settings.model_copy(update={"segment_s": 300.0})
    house.inspect(long_film)
    straight = fingerprint(house)
    assert segments.cuts_s.tolist() == straight.cuts_s.tolist()
    assert segments.cuts_s == pytest.approx(cuts_of(SHOTS), abs=0.02)
    for name in ("frame_times_s", "frame_hashes", "motion_hashes", "frame_novelty", "view_hashes"):
        assert (getattr(segments, name) == getattr(straight, name)).all(), name
    assert (segments.sound_times_s == straight.sound_times_s).all()


def test_a_clip_across_a_join_is_one_segment(house: House, long_film: Path, tmp_path: Path) -> None:
    house.inspect(long_film)
    clip = make(tmp_path / "clip.mp4", "-ss", "5", "-t", "7", "-i", str(long_film), "-crf", "30")
    (found,) = house.inspect(clip).duplicates
    (segment,) = found.segments
    assert (segment.b_start_s, segment.b_end_s) == pytest.approx((5.0, 12.0), abs=0.3)


def test_other_bytes_under_the_key_begin_anew(house: House, long_film: Path, tmp_path: Path) -> None:
    killed_at("checkpoint-done", 2)
    house.inspect(long_film)
    assert kept(house) == 2
    other = make(tmp_path / "other.mp4", "-i", str(long_film), "-c", "copy", "-metadata", "comment=1")
    house.drop(other, long_film.name)
    assert kept(house) == 0
    assert house.status(long_film.name).progress == 0


@pytest.mark.parametrize(
    "settle",
    [
        lambda house, key: (house.bucket.delete(key), house.ingest.look_at(key)),
        lambda house, key: _write(house, lambda tx: jobs.fail_exhausted(tx, max_attempts=1)),
    ],
    ids=["removed", "failed"],
)
def test_checkpoints_go_with_their_job(
    house: House, long_film: Path, settle: Callable[[House, str], object]
) -> None:
    killed_at("checkpoint-done", 1)
    house.inspect(long_film)
    assert kept(house) == 1
    settle(house, long_film.name)
    assert house.status(long_film.name).state in (State.REMOVED, State.FAILED)
    assert kept(house) == 0


def _write(house: House, write: Callable[[Any], object]) -> None:
    with house.db.begin() as tx:
        tx.execute(text("UPDATE videos SET due_at = now()"))
        write(tx)


BASIS: Final = Basis(b"s" * 32, b"p" * 32)


@pytest.fixture
def lease(house: House, long_film: Path) -> Lease:
    house.drop(long_film)
    lease = house.worker().claim()
    assert lease is not None
    return lease


def test_a_stale_token_keeps_nothing(house: House, lease: Lease) -> None:
    stale = replace(lease, token="00000000-0000-0000-0000-000000000000")
    with pytest.raises(LeaseLost), house.db.begin() as tx:
        checkpoints.save(tx, stale, BASIS, 0, 0.1, freeze(1, ()))
    assert kept(house) == 0


def test_a_checkpoint_counts_only_for_the_same_bytes_and_the_same_plan(house: House, lease: Lease) -> None:
    with house.db.begin() as tx:
        checkpoints.save(tx, lease, BASIS, 0, 0.1, freeze(1, ()))
        checkpoints.save(tx, lease, BASIS, 1, 0.2, freeze(2, ()))
    with house.db.begin() as tx:
        found = checkpoints.load(tx, lease, BASIS)
        assert found is not None
        assert (found.progress, found.state, len(found.grown)) == (0.2, freeze(2, ()).state, 2)
        assert checkpoints.load(tx, lease, replace(BASIS, plan=b"q" * 32)) is None
        assert checkpoints.load(tx, lease, replace(BASIS, sha256=b"t" * 32)) is None
        rows = tx.scalars(select(CheckpointRow).order_by(CheckpointRow.number)).all()
        assert [row.state is None for row in rows] == [True, False]


def test_beginning_anew_drops_what_another_plan_left(house: House, lease: Lease) -> None:
    other = replace(BASIS, plan=b"q" * 32)
    with house.db.begin() as tx:
        for number in range(3):
            checkpoints.save(tx, lease, BASIS, number, 0.1, freeze(1, ()))
        checkpoints.save(tx, lease, other, 0, 0.1, freeze(1, ()))
        assert checkpoints.load(tx, lease, BASIS) is None
        assert checkpoints.load(tx, lease, other) is not None


def test_a_checkpoint_that_cannot_be_written_is_in_the_next_one(
    house: House, long_film: Path, whole: tuple[Any, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = itertools.count()
    real = checkpoints.save

    def save(*arguments: Any) -> None:
        if next(saves) == 1:
            raise DatabaseUnavailable("away")
        real(*arguments)

    monkeypatch.setattr("inspector.worker.checkpoints.checkpoints.save", save)
    killed_at("checkpoint-done", 3)
    house.inspect(long_film)
    assert kept(house) == 2
    house.worker().run_once()
    assert stored(house) == whole
