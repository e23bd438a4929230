"""Recordings in the database: stream time of what was on air, orphans, and all of one in one object."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from inspector.api.on_air import StreamMatches
from inspector.errors import InspectorError, Interrupted, UnknownSubject
from inspector.model import (
    ProcessIdentity,
    RecordedSegment,
    Recording,
    RecordingGap,
    RecordingState,
    State,
    Verdict,
)
from inspector.processes import SILENT_S, has_died, started_at, this_process
from inspector.store import Database, recordings
from inspector.store.locks import only_one
from inspector.store.status import StatusReader
from inspector.worker.recording.joined import PiecesInOrder, join_pieces
from inspector.worker.recording.orphans import Orphans
from tests.film import make as make_film
from tests.integration.rest import Shelf, rest_app, rest_settings
from tests.integration.test_outbox import Ear, make, run
from tests.services import Endpoint, Places, places_at

BUCKET = "videos"


def dead_process() -> ProcessIdentity:
    """One of this machine that is no more."""
    done = subprocess.Popen(["true"])
    done.wait()
    return replace(this_process(), pid=done.pid, started=1)


def begin(
    db: Database, *, bucket: str = BUCKET, process: ProcessIdentity | None = None, spool: str = "/nowhere"
) -> int:
    with db.begin() as tx:
        return recordings.begin(tx, bucket, "news", "udp://x", process or this_process(), Path(spool))


def add(db: Database, recording_id: int, number: int, *, uploaded: bool = True, size_bytes: int = 3) -> str:
    """A piece of ten seconds. Returns its key."""
    key = f"recordings/news/{recording_id}/{number}.ts"
    segment = RecordedSegment(number, key, 10.0 * number, 10.0 * number + 10, 250, size_bytes)
    with db.begin() as tx:
        recordings.add_segment(tx, recording_id, segment)
        if uploaded:
            recordings.note_uploaded(tx, recording_id, number)
    return key


def find(db: Database, recording_id: int, bucket: str = BUCKET) -> Recording:
    with db.begin() as tx:
        found = recordings.find(tx, bucket, recording_id)
    assert found is not None
    return found


# ---------------------------------------------------------------- what was on air


def test_matches_are_told_in_stream_time_and_not_of_its_own_pieces(database: Database) -> None:
    shelf = Shelf(database, BUCKET)
    number, other = begin(database), begin(database)
    first, second, elsewhere = add(database, number, 0), add(database, number, 3), add(database, other, 2)
    shelf.match(second, "spot.mp4", Verdict.PARTIAL)
    shelf.match(first, second, Verdict.PARTIAL)
    shelf.match(elsewhere, second, Verdict.PARTIAL)
    for key in (first, second, elsewhere, "spot.mp4"):
        shelf.put(key, State.DONE)
    matches = StreamMatches(database, StatusReader(database, min_score=0.5), BUCKET)
    found = {each.key: each for each in matches.of(number)}
    assert set(found) == {"spot.mp4", elsewhere}
    spot, channel = found["spot.mp4"].segment, found[elsewhere]
    assert (spot.a_start_s, spot.a_end_s, spot.b_start_s) == (30.0, 34.0, 2.0)
    assert channel.recording_id == other
    assert channel.segment.b_start_s in (20.0, 22.0)
    assert matches.of(number, to_s=30) == []
    assert [each.key for each in matches.of(number, from_s=33.9)] != []


def test_match_found_carries_stream_time(database: Database) -> None:
    shelf, ear = Shelf(database, BUCKET), Ear()
    number = begin(database)
    first, second = add(database, number, 0), add(database, number, 3)
    shelf.put("spot.mp4", State.DONE)
    shelf.match(second, "spot.mp4", Verdict.PARTIAL)
    shelf.match(first, second, Verdict.PARTIAL)
    shelf.put(first, State.DONE)
    shelf.put(second, State.DONE)
    run(make(database, ear=ear))
    (told,) = [message.data for message in ear.heard if message.kind == "match.found"]
    one, other = told["video"], told["other"]
    assert {one["key"], other["key"]} == {second, "spot.mp4"}
    assert (one if one["key"] == second else other)["recording"] == {"id": number, "channel": "news"}
    if one["key"] == second:
        segment = told["segments"][0]
        assert segment["stream_start_s"] == 30 + segment["start_s"]
        assert segment["stream_end_s"] == 30 + segment["end_s"]


def test_an_advertisement_is_told_however_often_it_was_on_air(database: Database) -> None:
    """Of each piece only a part of it, as where it lies across a join."""
    shelf, ear = Shelf(database, BUCKET), Ear()
    number = begin(database)
    pieces = [add(database, number, n) for n in range(8)]
    shelf.put("spot.mp4", State.DONE)
    for n, piece in enumerate(pieces):
        shelf.match(piece, "spot.mp4", Verdict.PARTIAL)
        for other in pieces[:n]:
            shelf.match(other, piece, Verdict.PARTIAL)
        shelf.put(piece, State.DONE)
    run(make(database, ear=ear))
    told = [message.data for message in ear.heard if message.kind == "match.found"]
    assert sorted(each["video"]["key"] for each in told) == pieces
    assert {each["other"]["key"] for each in told} == {"spot.mp4"}


# ---------------------------------------------------------------- orphans


def test_a_process_is_told_from_another_of_the_same_number(database: Database) -> None:
    mine = find(database, begin(database))
    assert not has_died(mine)
    assert has_died(replace(mine, process=replace(mine.process, started=mine.process.started - 1)))
    assert has_died(replace(mine, process=dead_process()))
    elsewhere = replace(mine, process=replace(mine.process, boot="another"))
    assert not has_died(replace(elsewhere, heartbeat_age_s=SILENT_S - 1))
    assert has_died(replace(elsewhere, heartbeat_age_s=SILENT_S + 1))
    assert started_at(os.getpid()) == mine.process.started


@pytest.fixture
def places(ministack: Endpoint, tmp_path: Path) -> Places:
    places = places_at(ministack, tmp_path)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    return places


def test_what_an_orphan_left_is_uploaded_and_what_is_gone_becomes_a_gap(
    database: Database, places: Places, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    name = places.bucket.name
    number = begin(database, bucket=name, process=dead_process(), spool=str(spool))
    living = begin(database, bucket=name)
    folder = spool / str(number)
    folder.mkdir(parents=True)
    (folder / "000001.ts").write_bytes(b"abc")
    picture = ("-f", "lavfi", "-t", "2", "-i", "testsrc2=s=64x36:r=25", "-output_ts_offset", "36")
    make_film(folder / "000003.ts", *picture, "-muxdelay", "0", "-muxpreload", "0", "-bf", "0")
    add(database, number, 0)
    kept, _ = add(database, number, 1, uploaded=False), add(database, number, 2, uploaded=False)
    orphans = Orphans(database, places.bucket, places.settings)
    found = orphans.find()
    assert [each.id for each in found] == [number]
    assert find(database, number, name).state is RecordingState.RUNNING
    (cleaned,) = orphans.clean(found)
    assert (cleaned.rescued, cleaned.lost) == (2, 1)
    assert places.bucket.read(kept, 0, 10) == b"abc"
    assert not spool.exists()
    with database.begin() as tx:
        gaps = [(gap.start_s, gap.end_s, gap.reason) for gap in recordings.gaps(tx, number)]
        assert gaps == [(20.0, 30.0, "segment_lost"), (30.0, 35.0, "unknown")]
        found_again = [s for s in recordings.segments(tx, number) if s.uploaded_at]
    assert [s.number for s in found_again] == [0, 1, 3]
    assert found_again[-1].key == f"recordings/news/{number}/000035000.ts"
    assert (found_again[-1].start_s, found_again[-1].end_s, found_again[-1].frames) == (35.0, 37.0, 50)
    ended = find(database, number, name)
    assert (ended.state, ended.duration_s) == (RecordingState.ORPHANED, 37.0)
    assert find(database, living, name).state is RecordingState.RUNNING
    assert orphans.find() == []


def test_one_that_was_taken_for_dead_goes_on(database: Database) -> None:
    number = begin(database)
    with database.begin() as tx:
        recordings.end(tx, number, RecordingState.ORPHANED, "its process was gone")
        recordings.beat(tx, number, duration_s=20.0, restarts=0, note=None)
    assert (find(database, number).state, find(database, number).ended_at) == (RecordingState.RUNNING, None)


def test_the_api_lists_shows_and_cleans(database: Database, tmp_path: Path) -> None:
    client = rest_app(database, rest_settings(tmp_path)).test_client()
    dead, living = begin(database, process=dead_process()), begin(database)
    add(database, dead, 0)
    with database.begin() as tx:
        recordings.add_gap(tx, dead, RecordingGap(0, 10.0, 12.5, "recorder_killed"))
    page = client.get("/api/v1/recordings?limit=1").get_json()
    assert [each["id"] for each in page["recordings"]] == [living]
    (other,) = client.get(page["next"]).get_json()["recordings"]
    assert (other["id"], other["alive"], other["missing_s"]) == (dead, False, 2.5)
    one = client.get(f"/api/v1/recordings/{dead}").get_json()
    assert [(gap["start_s"], gap["end_s"]) for gap in one["gaps"]] == [(10.0, 12.5)]
    assert [segment["number"] for segment in one["segments"]] == [0]
    assert client.get(f"/api/v1/recordings/{dead}/matches").get_json() == {"matches": []}
    assert client.get("/api/v1/recordings/999").status_code == 404
    assert client.get("/api/v1/recordings/999/matches").status_code == 404
    address = "/admin/recordings/cleanup-process-orphaned"
    assert client.post(address).get_json()["cleaned"] == 0
    assert client.post(f"{address}?dry_run=false").get_json()["cleaned"] == 1
    assert find(database, dead).state is RecordingState.ORPHANED
    assert [
        each["id"] for each in client.get("/api/v1/recordings?state=running").get_json()["recordings"]
    ] == [living]


# ---------------------------------------------------------------- all of it in one object


def test_all_pieces_become_one_object_once(database: Database, places: Places) -> None:
    name = places.bucket.name
    number = begin(database, bucket=name)
    for n, content in enumerate((b"abc", b"defgh", b"i")):
        places.bucket.put(add(database, number, n, size_bytes=len(content)), content)
    with pytest.raises(InspectorError, match="still runs"):
        join_pieces(database, places.bucket, places.settings, number)
    with database.begin() as tx:
        recordings.end(tx, number, RecordingState.ENDED, None)
    looks = iter((False, False, True))
    with pytest.raises(Interrupted):
        join_pieces(database, places.bucket, places.settings, number, stopped=lambda: next(looks))
    with (
        only_one(database, f"join recording {number}") as mine,
        pytest.raises(InspectorError, match="another process joins"),
    ):
        join_pieces(database, places.bucket, places.settings, number)
    assert mine
    assert places.bucket.head(f"recordings/news/{number}.ts") is None
    key = join_pieces(database, places.bucket, places.settings, number)
    assert key == f"recordings/news/{number}.ts"
    assert places.bucket.read(key, 0, 100) == b"abcdefghi"
    before = places.bucket.head(key)
    assert join_pieces(database, places.bucket, places.settings, number) == key
    assert places.bucket.head(key) == before
    with database.begin() as tx:
        assert tx.scalar(text("SELECT count(*) FROM videos WHERE key = :key"), {"key": key}) == 1
        assert recordings.places(tx, name, [key])[key].whole
    with pytest.raises(UnknownSubject):
        join_pieces(database, places.bucket, places.settings, 999)


def test_pieces_are_read_as_one_file(places: Places) -> None:
    pieces = []
    for n, content in enumerate((b"abc", b"defgh", b"i")):
        places.bucket.put(f"{n}.ts", content)
        pieces.append(RecordedSegment(n, f"{n}.ts", 0, 1, 1, len(content)))
    source = PiecesInOrder(places.bucket, pieces)
    assert [source.read(4), source.read(4), source.read(4), source.read(4)] == [b"abcd", b"efgh", b"i", b""]
    assert source.tell() == 9
    source.seek(0)
    assert source.read() == b"abcdefghi"
    places.bucket.delete("1.ts")
    source.seek(0)
    with pytest.raises(InspectorError, match="not in the bucket"):
        source.read()
