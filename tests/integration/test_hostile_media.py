"""Hostile and broken files: none reads another file or opens a socket, none breaks us or outlives its limits.

They are made anew each time (`tests/hostile/corpus.py`). `make hostile` looks at many more of them.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import pytest

from inspector.errors import RejectReason
from inspector.media import sandbox_status
from inspector.model import State
from inspector.settings import SandboxChoice, load_settings
from inspector.store import Database
from inspector.store.status import StatusReader
from inspector.worker.attempt import Attempts
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.ingest import Ingest
from inspector.worker.inspect import Inspection
from tests.hostile.corpus import NAMES, SECRET, Files, Lure, corpus, films, mutated, playlists, truncated
from tests.hostile.look import Outcome
from tests.hostile.watch import Seen, watch
from tests.media_clips import H264, make, pattern
from tests.services import Endpoint, places_at

MANY: Final = 20_000
MUTANTS: Final = 18
SEED: Final = 1
SOME_NAMES: Final = NAMES[::2]


@dataclass(frozen=True, slots=True)
class Watched:
    """What came of all files, what their programs did meanwhile, and how often the decoy was asked."""

    folder: Path
    outcomes: dict[str, Outcome]
    seen: list[Seen]
    requests: list[str]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return films(tmp_path_factory.mktemp("films"))


@pytest.fixture(scope="module")
def lure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lure, list[str]]]:
    """A video with a secret in it, a web server, and the list of what was asked of this."""
    requests: list[str] = []

    class Decoy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    path = tmp_path_factory.mktemp("decoy") / "decoy.mp4"
    make(path, *pattern(size="222x166"), "-t", "2", *H264, "-metadata", f"title={SECRET}")
    with ThreadingHTTPServer(("127.0.0.1", 0), Decoy) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield Lure(path, f"http://127.0.0.1:{server.server_port}"), requests
        server.shutdown()
        thread.join()


def all_files(lure: Lure, film: Files, folder: Path) -> Files:
    files = corpus(lure, film, folder, many=MANY)
    files |= truncated("film.mp4", film["film.mp4"])
    files |= mutated(film, MUTANTS, SEED)
    return files | dict.fromkeys(SOME_NAMES, film["film.mp4"])


@pytest.fixture(scope="module")
def watched(lure: tuple[Lure, list[str]], film: Files, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """All files looked at without a sandbox, which would hide what they try."""
    return look("none", all_files(lure[0], film, tmp_path_factory.mktemp("made")), lure[1], tmp_path_factory)


def look(choice: str, files: Files, requests: list[str], tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder, calls = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("calls")
    for name, data in files.items():
        (folder / name).write_bytes(data)
    paths = [str(folder / name) for name in files]
    said, seen = watch(["-m", "tests.hostile.look", choice, *paths], calls)
    outcomes = [Outcome(**json.loads(line)) for line in said.splitlines()]
    return Watched(folder, {outcome.name: outcome for outcome in outcomes}, seen, requests)


# ---------------------------------------------------------------- without a sandbox


@pytest.mark.timeout(300)
def test_each_file_ends_as_done_or_rejected_with_a_reason(watched: Watched) -> None:
    broken = {o.name: o.reason for o in watched.outcomes.values() if o.end not in ("done", "rejected")}
    assert broken == {}
    assert len(watched.outcomes) > 130
    reasons = {outcome.reason for outcome in watched.outcomes.values() if outcome.end == "rejected"}
    assert reasons <= set(RejectReason)


def test_no_file_makes_a_program_name_another_one(watched: Watched) -> None:
    assert len(watched.seen) > len(watched.outcomes), "strace saw them all"
    assert {seen.argv: seen.foreign for seen in watched.seen if seen.foreign} == {}


def test_no_program_ever_asks_for_a_socket(watched: Watched) -> None:
    assert [call for seen in watched.seen for call in seen.network] == []
    assert watched.requests == []


def test_nothing_of_the_decoy_is_told(watched: Watched) -> None:
    told = " ".join(outcome.told for outcome in watched.outcomes.values())
    assert SECRET not in told
    assert "width=222" not in told


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("hls-file.mp4", RejectReason.DISALLOWED_FORMAT),
        ("dash.mp4", RejectReason.DISALLOWED_FORMAT),
        ("dimensions.gif", RejectReason.TOO_LARGE_PIXELS),
        ("dimensions.mkv", RejectReason.TOO_LARGE_PIXELS),
        ("million-streams.mp4", RejectReason.TOO_MANY_STREAMS),
        ("all-programs.ts", RejectReason.TOO_MANY_STREAMS),
        ("duration-max.mp4", RejectReason.TOO_LONG),
        ("claims-stco.mov", RejectReason.TOO_DEMANDING),
        ("fragments.mp4", RejectReason.TOO_DEMANDING),
        ("nested-moov.mp4", RejectReason.UNREADABLE),
    ],
)
def test_the_reason_says_what_is_wrong(watched: Watched, name: str, reason: RejectReason) -> None:
    assert watched.outcomes[name].reason == reason


def test_a_sound_film_is_done_whatever_it_is_called(watched: Watched) -> None:
    assert {name: watched.outcomes[name].end for name in SOME_NAMES} == dict.fromkeys(SOME_NAMES, "done")


def test_references_in_a_sound_film_do_not_keep_it_from_being_seen(watched: Watched) -> None:
    for name in ("dref-url-http.mov", "attached-list.mkv", "attached-font.mkv", "list-after-film.mp4"):
        assert watched.outcomes[name].end == "done"


def test_a_file_that_is_cut_off_is_seen_as_far_as_it_goes(watched: Watched) -> None:
    ends = [watched.outcomes[f"cut-{n:02}-film.mp4"].end for n in range(1, 20)]
    assert ends[0] == "rejected"
    assert ends[-1] == "done"
    assert ends == sorted(ends, reverse=True), "more of it is never less"


# ---------------------------------------------------------------- within a sandbox


@pytest.mark.timeout(300)
def test_locked_in_the_same_comes_of_them_and_nothing_is_started_outside(
    watched: Watched, lure: tuple[Lure, list[str]], film: Files, tmp_path_factory: pytest.TempPathFactory
) -> None:
    status = sandbox_status(load_settings())
    if status.kind is not SandboxChoice.BWRAP:
        pytest.skip(status.why)
    files = {
        **dict(list(mutated(film, 9, SEED))),
        "film.mp4": film["film.mp4"],
        "dref.mov": (watched.folder / "dref-url-http.mov").read_bytes(),
        "text.mp4": (watched.folder / "concat.webm").read_bytes(),
    }
    inside = look("bwrap", files, lure[1], tmp_path_factory)
    names = [name for name in files if name in watched.outcomes]
    assert {n: inside.outcomes[n].told for n in names} == {n: watched.outcomes[n].told for n in names}
    assert {o.end for o in inside.outcomes.values()} <= {"done", "rejected"}
    assert {seen.after for seen in inside.seen} == {("prlimit",)}, (
        "what went before is another process: bwrap"
    )
    assert {seen.argv: seen.foreign for seen in inside.seen if seen.foreign} == {}
    assert [call for seen in inside.seen for call in seen.network] == []


# ---------------------------------------------------------------- as a worker sees them


def test_workers_reject_what_is_hostile_and_go_on_with_what_is_not(
    ministack: Endpoint,
    database: Database,
    lure: tuple[Lure, list[str]],
    film: Files,
    watched: Watched,
    tmp_path: Path,
) -> None:
    places = places_at(ministack, tmp_path, idle_poll_s=0.05, retry_pause_s=0)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    settings, bucket = places.settings, places.bucket
    ingest = Ingest(database, bucket, settings)
    bad = ["million-streams.mp4", "claims-stco.mov", "fragments.mp4", "compressed-moov-liar.mov", "cover.m4v"]
    files = {name: (watched.folder / name).read_bytes() for name in bad}
    files |= dict(list(playlists(lure[0]).items())[:3])
    files |= {f"<script>{name}": film[name] for name in ("film.mp4", "film.webm", "film.ogg")}
    for number, (key, data) in enumerate(files.items()):
        (tmp_path / str(number)).write_bytes(data)
        bucket.upload(tmp_path / str(number), key)
        ingest.look_at(key)

    def worker() -> Attempts:
        heartbeat = Heartbeat(database, settings, stop=threading.Event())
        inspection = Inspection(database, bucket, settings)
        return Attempts(
            database,
            bucket,
            ingest,
            inspection,
            heartbeat,
            settings,
            stop=threading.Event(),
            wake=threading.Event(),
        )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda attempts: [attempts.run_once() for _ in files], (worker(), worker())))
    reader = StatusReader(database, min_score=settings.min_score)
    found = {key: reader.by_key(bucket.name, key) for key in files}
    states = {key: status.state if status else None for key, status in found.items()}
    assert states == {key: State.DONE if key.startswith("<script>") else State.REJECTED for key in files}
    assert all(status.attempts == 1 for status in found.values() if status), "nobody was tried twice"
    assert lure[1] == []
    assert not list(settings.scratch.glob("*"))
