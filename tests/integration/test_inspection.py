"""The whole way of a video inside one process: bucket, job, inspection, matches, status."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from inspector.errors import BucketUnavailable, ToolKilled
from inspector.matching import compare, make_landmarks
from inspector.media import probe_media
from inspector.model import Library, MediaInfo, State, Verdict, VideoStatus
from inspector.settings import Settings, load_settings
from inspector.store import Database, contents, landmarks
from inspector.store.status import StatusReader
from inspector.store.tables import ContentRow, LandmarkRow, MatchRow
from inspector.worker.attempt import Attempts
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.ingest import Ingest
from inspector.worker.inspect import Examined, Inspection, examine
from tests.film import BROKEN, copies, cut_together, cuts_of, episodes, make
from tests.services import Endpoint, Places, places_at


@dataclass
class House:
    """One worker's inspecting part, around one bucket."""

    places: Places
    db: Database

    def __post_init__(self) -> None:
        self.settings: Settings = self.places.settings
        self.bucket = self.places.bucket
        self.ingest = Ingest(self.db, self.bucket, self.settings)
        self.stop = threading.Event()
        self.reader = StatusReader(self.db, min_score=self.settings.min_score)

    def worker(self) -> Attempts:
        heartbeat = Heartbeat(self.db, self.settings, stop=self.stop)
        inspection = Inspection(self.db, self.bucket, self.settings)
        wake = threading.Event()
        return Attempts(
            self.db, self.bucket, self.ingest, inspection, heartbeat, self.settings, stop=self.stop, wake=wake
        )

    def drop(self, path: Path, key: str | None = None) -> None:
        self.bucket.upload(path, key or path.name)
        self.ingest.look_at(key or path.name)

    def inspect(self, path: Path, key: str | None = None) -> VideoStatus:
        self.drop(path, key)
        self.worker().run_once()
        return self.status(key or path.name)

    def status(self, key: str) -> VideoStatus:
        status = self.reader.by_key(self.bucket.name, key)
        assert status is not None
        return status

    def others(self, key: str) -> dict[str, Verdict]:
        return {d.key: d.verdict for d in self.status(key).duplicates}

    def count(self, table: type[ContentRow] | type[MatchRow] | type[LandmarkRow]) -> int:
        with self.db.begin() as tx:
            return tx.scalar(select(func.count()).select_from(table)) or 0


@pytest.fixture
def house(ministack: Endpoint, database: Database, tmp_path: Path) -> Iterator[House]:
    places = places_at(ministack, tmp_path, idle_poll_s=0.05, retry_pause_s=0)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    house = House(places, database)
    yield house
    assert not list(house.settings.scratch.glob("*")), "the scratch folder is empty after every test"


def test_cuts_media_and_progress_of_a_video_are_known_when_it_is_done(
    house: House, films: dict[str, Path]
) -> None:
    status = house.inspect(films["film"])
    assert (status.state, status.progress, status.attempts) == (State.DONE, 1.0, 1)
    assert status.scene_cuts == pytest.approx(cuts_of(), abs=0.02)
    assert status.media is not None
    assert (status.media.width, status.media.height, status.media.video_codec) == (320, 180, "h264")


def test_an_edited_copy_and_a_clip_are_found_from_both_sides(house: House, films: dict[str, Path]) -> None:
    for path in films.values():
        house.inspect(path)
    assert house.others("film.mp4") == {"edited.mp4": "duplicate", "clip.mp4": "contained"}
    assert house.others("edited.mp4") == {"film.mp4": "duplicate", "clip.mp4": "contained"}
    assert house.others("other.mp4") == {}
    (segment,) = next(d for d in house.status("clip.mp4").duplicates if d.key == "film.mp4").segments
    assert (segment.a_start_s, segment.a_end_s) == pytest.approx((0.0, 8.0), abs=0.3)
    assert (segment.b_start_s, segment.b_end_s) == pytest.approx((3.4, 11.4), abs=0.3)


def test_an_intro_that_many_share_makes_no_duplicates(house: House, tmp_path: Path) -> None:
    for path in episodes(tmp_path, 6):
        house.inspect(path)
    status = house.status("episode1.mp4")
    assert status.duplicates == ()
    assert {(each.key, each.verdict) for each in status.common} == {
        (f"episode{n}.mp4", Verdict.COMMON) for n in range(2, 7)
    }


def test_the_order_of_arrival_changes_nothing(house: House, films: dict[str, Path]) -> None:
    def scores() -> dict[str, object]:
        return {d.key: (d.score, d.segments) for d in house.status("film.mp4").duplicates}

    names = list(films)
    for name in names:
        house.inspect(films[name])
    forward = scores()
    with house.db.begin() as tx:
        tx.execute(text("TRUNCATE videos, contents, landmarks, matches CASCADE"))
    for name in reversed(names):
        house.inspect(films[name])
    assert scores() == forward


def test_inspecting_again_never_makes_a_second_row(house: House, films: dict[str, Path]) -> None:
    house.inspect(films["film"])
    house.inspect(films["edited"])
    before = [house.count(table) for table in (ContentRow, MatchRow, LandmarkRow)]
    with house.db.begin() as tx:
        tx.execute(text("UPDATE contents SET algorithm = 0"))
    for name in ("film", "edited"):
        house.bucket.delete(films[name].name)
        house.ingest.look_at(films[name].name)
        house.inspect(films[name])
    assert [house.count(table) for table in (ContentRow, MatchRow, LandmarkRow)] == before


def test_the_same_bytes_again_are_done_without_decoding(
    house: House, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.inspect(films["film"])
    forbid_decoding(monkeypatch)
    assert house.inspect(films["film"], "renamed/copy.mp4").state is State.DONE
    (duplicate,) = house.status("film.mp4").duplicates
    assert (duplicate.key, duplicate.score, duplicate.evidence.identical_bytes) == (
        "renamed/copy.mp4",
        1,
        True,
    )


@pytest.mark.parametrize("container", ["mkv", "mov", "flv"])
def test_the_same_streams_in_another_container_are_done_without_decoding(
    house: House, films: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: str
) -> None:
    house.inspect(films["film"])
    house.inspect(films["clip"])
    remux = make(tmp_path / f"remux.{container}", "-i", str(films["film"]), "-c", "copy")
    forbid_decoding(monkeypatch)
    status = house.inspect(remux)
    assert status.state is State.DONE
    assert status.scene_cuts == pytest.approx(cuts_of(), abs=0.02)
    assert house.others(remux.name) == {"film.mp4": "duplicate", "clip.mp4": "contained"}
    assert house.others("clip.mp4") == {"film.mp4": "contained", remux.name: "contained"}
    (found,) = (d for d in house.status("film.mp4").duplicates if d.key == remux.name)
    assert (found.score, found.evidence.identical_streams, found.evidence.identical_bytes) == (1, True, False)


def test_what_a_remux_matches_does_not_depend_on_who_was_decoded(
    house: House, films: dict[str, Path], tmp_path: Path
) -> None:
    def scores() -> dict[tuple[str, str], object]:
        return {
            (key, d.key): (d.score, d.segments)
            for key in ("film.mp4", "clip.mp4", "remux.mov")
            for d in house.status(key).duplicates
        }

    remux = make(tmp_path / "remux.mov", "-i", str(films["film"]), "-c", "copy")
    for path in (films["film"], films["clip"], remux):
        house.inspect(path)
    remux_last = scores()
    with house.db.begin() as tx:
        tx.execute(text("TRUNCATE videos, contents, landmarks, matches CASCADE"))
    for path in (remux, films["clip"], films["film"]):
        house.inspect(path)
    assert scores() == remux_last


def test_streams_shown_at_other_times_are_decoded(
    house: House, films: dict[str, Path], tmp_path: Path
) -> None:
    house.inspect(films["film"])
    slow = make(tmp_path / "slow.mp4", "-itsscale", "1.25", "-i", str(films["film"]), "-c", "copy")
    assert house.inspect(slow).scene_cuts == pytest.approx([1.25 * cut for cut in cuts_of()], abs=0.02)
    (found,) = house.status("film.mp4").duplicates
    assert not found.evidence.identical_streams
    assert found.speed == pytest.approx(1.25, abs=0.01)


def test_the_fingerprint_of_a_file_that_is_cut_off_is_nobody_elses(
    house: House, films: dict[str, Path], tmp_path: Path
) -> None:
    house.inspect(films["film"])
    with house.db.begin() as tx:
        tx.execute(text("UPDATE contents SET truncated = true, cuts_s = '{1}'"))
    remux = make(tmp_path / "remux.mov", "-i", str(films["film"]), "-c", "copy")
    assert house.inspect(remux).scene_cuts == pytest.approx(cuts_of(), abs=0.02)


def test_a_removed_video_leaves_all_results_and_comes_back_without_decoding(
    house: House, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    house.inspect(films["film"])
    house.inspect(films["clip"])
    before = house.status("clip.mp4").revision
    house.bucket.delete("film.mp4")
    house.ingest.look_at("film.mp4")
    assert house.others("clip.mp4") == {}
    assert house.status("clip.mp4").revision > before, "those who show it hear of it"
    assert house.status("film.mp4").duplicates == ()
    forbid_decoding(monkeypatch)
    assert house.inspect(films["film"]).state is State.DONE
    assert house.others("clip.mp4") == {"film.mp4": "contained"}


def test_an_overwritten_key_names_its_new_content_and_the_old_one_leaves(
    house: House, films: dict[str, Path]
) -> None:
    house.inspect(films["film"], "a.mp4")
    house.inspect(films["clip"])
    house.inspect(films["other"], "a.mp4")
    assert house.others("clip.mp4") == {}
    house.inspect(films["film"], "b.mp4")
    assert house.others("clip.mp4") == {"b.mp4": "contained"}


def test_an_object_overwritten_while_it_waits_is_inspected_as_what_it_is_now(
    house: House, films: dict[str, Path]
) -> None:
    house.drop(films["film"], "a.mp4")
    house.bucket.upload(films["other"], "a.mp4")
    worker = house.worker()
    worker.run_once()
    assert house.status("a.mp4").state is State.QUEUED, "looked at again"
    worker.run_once()
    assert len(house.status("a.mp4").scene_cuts) == 1


def test_an_object_that_vanishes_while_it_waits_is_removed(house: House, films: dict[str, Path]) -> None:
    house.drop(films["film"])
    house.bucket.delete("film.mp4")
    house.worker().run_once()
    assert house.status("film.mp4").state is State.REMOVED


@pytest.mark.parametrize("name", list(BROKEN))
def test_what_is_no_video_is_rejected_with_its_reason(house: House, tmp_path: Path, name: str) -> None:
    make_file, reasons = BROKEN[name]
    status = house.inspect(make_file(tmp_path / name))
    assert status.state is State.REJECTED
    assert status.reason in reasons
    house.worker().run_once()
    assert house.status(name).attempts == 1, "never tried again"


def test_too_large_an_object_is_rejected_before_it_is_downloaded(
    house: House, films: dict[str, Path]
) -> None:
    house.settings = house.settings.model_copy(update={"max_size_bytes": 1000})
    assert house.inspect(films["film"]).reason == "too_large_bytes"


def test_a_truncated_file_is_inspected_as_far_as_it_goes(house: House, tmp_path: Path) -> None:
    whole = cut_together(tmp_path / "whole.mkv").read_bytes()
    (tmp_path / "short.mkv").write_bytes(whole[: len(whole) * 6 // 10])
    status = house.inspect(tmp_path / "short.mkv")
    assert (status.state, status.truncated) == (State.DONE, True)
    assert len(status.scene_cuts) > 0


def test_a_full_disk_puts_the_job_off_without_counting_an_attempt(
    house: House, films: dict[str, Path]
) -> None:
    disk = shutil.disk_usage(house.settings.data_dir)
    reserve_bytes = (disk.free + disk.total) // 2
    house.settings = house.settings.model_copy(update={"scratch_reserve_bytes": reserve_bytes})
    house.drop(films["film"])
    assert house.worker().run_once() > 0, "else all that wait would be claimed and put off in turns"
    status = house.status("film.mp4")
    assert (status.state, status.attempts) == (State.QUEUED, 0)
    assert status.error is not None
    assert "are needed" in status.error


def test_an_attempt_that_fails_is_repeated_and_the_last_one_fails_the_job(
    house: House, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise ToolKilled("ffmpeg died by SIGKILL")

    monkeypatch.setattr("inspector.worker.inspect.decode_media", killed)
    house.drop(films["film"])
    worker = house.worker()
    for attempt in (1, 2, 3):
        worker.run_once()
        assert house.status("film.mp4").attempts == attempt
    status = house.status("film.mp4")
    assert (status.state, status.error) == (State.FAILED, "ffmpeg died by SIGKILL")


@pytest.mark.expects_error_log
def test_a_bug_in_an_inspection_fails_that_video_and_nothing_else(
    house: House, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("oops")

    with monkeypatch.context() as patch:
        patch.setattr("inspector.worker.inspect.decode_media", broken)
        assert house.inspect(films["film"]).state is State.QUEUED
    house.worker().run_once()
    assert house.status("film.mp4").state is State.DONE


def test_an_outage_of_the_bucket_does_not_count_as_an_attempt(
    house: House, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise BucketUnavailable("no answer")

    house.drop(films["film"])
    monkeypatch.setattr(house.bucket, "download", away)
    monkeypatch.setattr(house.bucket, "check", away)
    house.worker().run_once()
    assert (house.status("film.mp4").state, house.status("film.mp4").attempts) == (State.QUEUED, 0)


def test_a_stop_in_mid_work_hands_the_job_back(
    house: House, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop_first(path: Path, settings: Settings, *, cancelled: Callable[[], bool]) -> MediaInfo:
        house.stop.set()
        return probe_media(path, settings, cancelled=cancelled)

    monkeypatch.setattr("inspector.worker.inspect.probe_media", stop_first)
    status = house.inspect(films["film"])
    assert (status.state, status.attempts) == (State.QUEUED, 0)


# ---------------------------------------------------------------- races and the index


@pytest.fixture(scope="module")
def twenty_copies(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("twenty")
    film = cut_together(folder / "film.mp4", (("testsrc2=sar=1", 1.1), ("mandelbrot=end_scale=0.01", 1.3)))
    return copies(film, folder, 20)


@pytest.fixture(scope="module")
def looked(twenty_copies: list[Path]) -> Examined:
    """What is seen in each of them: copies have the same fingerprint."""
    return examine(
        twenty_copies[0],
        load_settings(),
        recall=lambda _: None,
        cancelled=lambda: False,
        on_progress=lambda _: None,
    )


@pytest.mark.parametrize("run", range(10))
def test_twenty_copies_inspected_at_once_are_all_found_by_each_other(
    house: House,
    twenty_copies: list[Path],
    looked: Examined,
    monkeypatch: pytest.MonkeyPatch,
    run: int,
) -> None:
    """Whoever commits last sees all others. The first run is real, in the others looking takes no time."""
    paths = twenty_copies
    if run > 0:
        look_in_no_time(monkeypatch, looked)
    with closing(Database(house.db.url, pool_size=20)) as house.db:
        for path in paths:
            house.drop(path)
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda _: house.worker().run_once(), paths))
        assert {house.status(path.name).state for path in paths} == {State.DONE}
        with house.db.begin() as tx:
            pairs = {frozenset(p) for p in tx.execute(select(MatchRow.content_a, MatchRow.content_b))}
            ids = list(tx.scalars(select(ContentRow.id)))
    assert len(ids) == 20
    assert pairs == {frozenset(pair) for pair in combinations(ids, 2)}


def look_in_no_time(monkeypatch: pytest.MonkeyPatch, seen: Examined) -> None:
    """Let every file be found to hold what was `seen`, without ffmpeg."""
    match = compare(seen[1], seen[1])
    monkeypatch.setattr("inspector.worker.inspect.examine", lambda *_, **__: seen)
    monkeypatch.setattr("inspector.worker.inspect.compare", lambda *_: match)
    monkeypatch.setattr("inspector.worker.inspect.ThumbnailMaker.make", lambda *_: None)


def test_candidates_come_from_the_index_and_never_from_a_scan(house: House, films: dict[str, Path]) -> None:
    house.inspect(films["film"])
    with house.db.begin() as tx:
        tx.execute(
            text(
                "INSERT INTO landmarks (token, content_id, time_ms, checked) "
                "SELECT (random() * 2e9)::integer, n % 1000 + 1000, n, 0 FROM generate_series(1, 50000) n"
            )
        )
        (content_id,) = tx.scalars(select(ContentRow.id)).all()
        tokens = make_landmarks(contents.load(tx, [content_id])[content_id].fingerprint)
        landmarks.probe_only(tx)
        question = landmarks.look_up_parameters(Library.BUCKET, content_id, tokens)
        plan = "\n".join(tx.execute(text(f"EXPLAIN {landmarks.LOOK_UP.text}"), question).scalars())
    assert "Index Only Scan using landmarks_token" in plan
    assert "Seq Scan" not in plan


def test_scanned_contents_are_never_candidates_for_the_bucket(house: House, films: dict[str, Path]) -> None:
    house.inspect(films["film"])
    with house.db.begin() as tx:
        tx.execute(text("UPDATE contents SET library = 1"))
        tx.execute(text("UPDATE landmarks SET token = token - 2147483648"))
    house.inspect(films["edited"])
    assert house.others("edited.mp4") == {}


def test_forgetting_a_content_leaves_nothing_behind(house: House, films: dict[str, Path]) -> None:
    house.inspect(films["film"])
    house.inspect(films["edited"])
    with house.db.begin() as tx:
        for content_id in tx.scalars(select(ContentRow.id)).all():
            contents.forget(tx, content_id)
    assert [house.count(table) for table in (ContentRow, MatchRow, LandmarkRow)] == [0, 0, 0]


def forbid_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("inspector.worker.inspect.decode_media", forbidden)
