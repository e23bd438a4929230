"""Two generations of results: what an older algorithm left is brought up to date, and stays readable."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import func, select, text, update

from inspector.cli.reindex import reindex as command
from inspector.model import ALGORITHM, COMPARABLE_SINCE, SEEN_SINCE, State, VideoStatus
from inspector.settings import Settings
from inspector.store import Database, contents, jobs, reindexing
from inspector.store.locks import only_one
from inspector.store.outbox import EventKind
from inspector.store.status import StatusReader
from inspector.store.tables import ContentRow, LandmarkRow, MatchRow, ReindexFaultRow
from inspector.worker.ingest import Ingest
from inspector.worker.inspect import Inspection
from inspector.worker.outbox import Outbox, Target
from inspector.worker.reindex import Reindex
from tests.integration.test_outbox import Ear
from tests.services import Places, places_at
from tests.shelf import empty

OLD = ALGORITHM - 1


class House:
    """A bucket of inspected films, and whoever brings them up to date."""

    def __init__(self, places: Places, db: Database, films: dict[str, Path]) -> None:
        settings = places.settings.model_copy(update={"thumbnails_bytes": 0, "max_attempts": 2})
        self.db, self.bucket, self.films, self.settings = db, places.bucket, films, settings
        self.ingest = Ingest(db, self.bucket, settings)
        self.inspection = Inspection(db, self.bucket, settings)

    def put(self, *names: str) -> None:
        for name in names:
            self.bucket.put(name, self.films[name].read_bytes())
            self.ingest.look_at(name)
            with self.db.begin() as tx:
                lease = jobs.claim(tx, "w", lease_s=600, max_attempts=3)
            assert lease is not None
            self.inspection.run(lease, cancelled=lambda: False, on_progress=lambda progress: None)

    def grow_old(self) -> None:
        """As if all this had been seen by the algorithm before, whose tokens were others."""
        with self.db.begin() as tx:
            tx.execute(update(ContentRow).values(algorithm=OLD))
            tx.execute(update(MatchRow).values(algorithm=OLD))
            tx.execute(text("UPDATE landmarks SET token = token # 12345"))

    def worker(self, *, seen_since: int = ALGORITHM) -> Reindex:
        return Reindex(
            self.db,
            self.bucket,
            self.ingest,
            self.settings,
            stop=threading.Event(),
            seen_since=seen_since,
        )

    def renew_all(self, *, seen_since: int = ALGORITHM) -> int:
        """Begin, and go on to the end. Returns how many contents were taken in hand."""
        self.start()
        worker, taken = self.worker(seen_since=seen_since), 0
        while worker.run_once():
            taken += 1
        return taken

    def start(self) -> None:
        with self.db.begin() as tx:
            reindexing.start(tx)

    def left(self) -> int:
        with self.db.begin() as tx:
            return reindexing.load(tx, max_attempts=2).left

    def status(self, name: str) -> VideoStatus:
        found = StatusReader(self.db, min_score=0.5).by_key(self.bucket.name, name)
        assert found is not None
        return found

    def duplicates(self, name: str) -> dict[str, float]:
        return {other.key: other.score for other in self.status(name).duplicates}

    def algorithms(self) -> set[int]:
        """Of all contents and matches."""
        with self.db.begin() as tx:
            return {*tx.scalars(select(ContentRow.algorithm)), *tx.scalars(select(MatchRow.algorithm))}

    def run_command(self, *arguments: str) -> Result:
        url = self.db.engine.url.render_as_string(hide_password=False)
        settings = Settings(**{**self.settings.model_dump(), "database_url": url, "_env_file": None})
        return CliRunner().invoke(command, list(arguments), obj=settings)


@pytest.fixture(scope="module")
def house(
    request: pytest.FixtureRequest,
    shared_database: Database,
    films: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> House:
    places = places_at(request.getfixturevalue("ministack"), tmp_path_factory.mktemp("reindex"))
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    return House(places, shared_database, films)


@pytest.fixture
def inspected(house: House) -> Iterator[dict[str, float]]:
    """The film and its clip, inspected; what is shown of the film."""
    empty(house.db)
    house.put("film", "clip")
    found = house.duplicates("film")
    assert set(found) == {"clip"}
    yield found
    for name in ("film", "clip", "edited"):
        house.bucket.delete(name)


def test_nothing_is_done_unless_somebody_wishes_it(house: House, inspected: dict[str, float]) -> None:
    house.grow_old()
    assert not house.worker().run_once()
    assert house.algorithms() == {OLD}
    assert house.duplicates("film") == inspected, "old results can be read"


@pytest.mark.parametrize("seen_since", [ALGORITHM, OLD], ids=["decoded anew", "from fingerprints"])
def test_old_results_are_replaced_by_the_same_as_of_a_new_inspection(
    house: House, inspected: dict[str, float], monkeypatch: pytest.MonkeyPatch, seen_since: int
) -> None:
    house.grow_old()
    if seen_since == OLD:
        monkeypatch.setattr(contents, "COMPARABLE_SINCE", OLD)
        house.bucket.delete("film")
        house.bucket.delete("clip")
    assert house.renew_all(seen_since=seen_since) == 2
    assert house.left() == 0
    assert house.algorithms() == {ALGORITHM}
    assert house.duplicates("film") == inspected
    assert house.status("film").state is State.DONE
    with house.db.begin() as tx:
        moved = select(func.count()).select_from(LandmarkRow).group_by(LandmarkRow.content_id)
        assert len(tx.scalars(moved).all()) == 2


@pytest.mark.usefixtures("inspected")
def test_old_results_stay_until_both_ends_are_new(house: House) -> None:
    house.grow_old()
    with house.db.begin() as tx:
        tx.execute(update(MatchRow).values(score=0.66))
    house.start()
    worker = house.worker()
    assert worker.run_once()
    assert house.left() == 1
    assert house.duplicates("film") == {"clip": 0.66}
    assert worker.run_once()
    assert house.duplicates("film")["clip"] > 0.9
    assert not worker.run_once()


@pytest.mark.usefixtures("inspected")
def test_a_match_that_is_found_no_more_goes_with_the_second_end(house: House) -> None:
    house.put("other")
    with house.db.begin() as tx:
        ids = {name: house.status(name).content_id for name in ("film", "other")}
        a, b = sorted(ids.values(), key=lambda i: tx.get_one(ContentRow, i).sha256)
        tx.execute(update(MatchRow).values(content_a=a, content_b=b))
    house.grow_old()
    house.start()
    worker = house.worker()
    seen = []
    while worker.run_once():
        seen.append(set(house.duplicates("other")))
    assert seen[0] == {"film"}
    assert seen[-1] == set()
    assert set(house.duplicates("film")) == {"clip"}
    house.bucket.delete("other")


def test_new_uploads_meanwhile_are_compared_with_both_generations(
    house: House, inspected: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "COMPARABLE_SINCE", OLD)
    house.grow_old()
    with house.db.begin() as tx:
        tx.execute(text("UPDATE landmarks SET token = token # 12345"))  # fingerprints changed, tokens did not
    house.start()
    worker = house.worker()
    assert worker.run_once()
    house.put("edited")
    assert set(house.duplicates("edited")) == {"film", "clip"}
    assert house.algorithms() == {OLD, ALGORITHM}
    before = house.duplicates("edited")
    while worker.run_once():
        assert house.duplicates("edited") == before
    assert house.algorithms() == {ALGORITHM}
    assert house.duplicates("film")["clip"] == inspected["clip"]


def test_uploads_meet_what_cannot_be_compared_when_it_is_brought_up_to_date(
    house: House, inspected: dict[str, float]
) -> None:
    ear = Ear()
    targets = {"ear": Target(ear, frozenset(EventKind))}
    box = Outbox(house.db, StatusReader(house.db, min_score=0.5), targets)

    def heard() -> list[tuple[str, str]]:
        while not box.run_once():
            pass
        told = [m for m in ear.heard if m.kind is EventKind.MATCH_FOUND]
        return sorted((m.data["video"]["key"], m.data["other"]["key"]) for m in told)

    heard()
    ear.heard.clear()
    house.grow_old()
    assert "2 of them are not compared with new uploads" in house.run_command("--dry-run").output
    house.start()
    house.put("edited")
    assert house.duplicates("edited") == {}, "fingerprints that cannot be read are not compared"
    assert house.duplicates("film") == inspected, "and what was found before is shown"
    assert heard() == []
    worker = house.worker()
    assert worker.run_once()
    assert len(house.duplicates("edited")) == len(heard()) == 1, "as soon as one of them is up to date"
    while worker.run_once():
        pass
    assert heard() == [("edited", "clip"), ("edited", "film")], "each once, and not what was told before"
    after = {name: house.duplicates(name) for name in ("film", "clip", "edited")}
    assert set(after["edited"]) == {"film", "clip"}
    empty(house.db)
    house.put("film", "clip", "edited")
    assert after == {name: house.duplicates(name) for name in after}, "as if all had come anew"


def test_what_needs_no_second_look_can_be_compared() -> None:
    assert COMPARABLE_SINCE <= SEEN_SINCE <= ALGORITHM


@pytest.mark.usefixtures("inspected")
def test_a_search_that_was_cut_short_is_repeated(house: House) -> None:
    with house.db.begin() as tx:
        tx.execute(update(ContentRow).values(searched=False))
    assert house.renew_all() == 2
    assert house.left() == 0


def test_what_cannot_be_brought_up_to_date_keeps_its_results(
    house: House, inspected: dict[str, float]
) -> None:
    house.grow_old()
    strict = house.settings.model_copy(update={"max_duration_s": 9.0})  # the film is longer, the clip is not
    house.start()
    worker = Reindex(house.db, house.bucket, house.ingest, strict, stop=threading.Event())
    while worker.run_once():
        pass
    with house.db.begin() as tx:
        tx.execute(update(ReindexFaultRow).values(due_at=func.now()))
    while worker.run_once():
        pass
    assert house.left() == 1
    assert house.duplicates("film") == inspected
    with house.db.begin() as tx:
        assert reindexing.load(tx, max_attempts=2).failed == 1
        assert reindexing.faults(tx, limit=9) == [("film", "too_long: 15 s")]


@pytest.mark.usefixtures("inspected")
def test_an_object_that_is_gone_is_looked_at(house: House) -> None:
    house.grow_old()
    house.bucket.delete("clip")
    house.renew_all()
    assert house.status("clip").state is State.REMOVED
    assert house.left() == 0


@pytest.mark.usefixtures("inspected")
def test_two_workers_are_never_at_the_same_content(house: House) -> None:
    house.grow_old()
    house.start()
    film = house.status("film").content_id
    with only_one(house.db, f"reindex:{film}"):
        worker = house.worker()
        while worker.run_once():
            pass
    assert house.left() == 1


@pytest.mark.usefixtures("inspected")
def test_it_can_be_cancelled_and_goes_on(house: House) -> None:
    house.grow_old()
    assert "2 videos" in house.run_command("--no-wait").output
    worker = house.worker()
    assert worker.run_once()
    assert "cancelled" in house.run_command("--cancel").output
    assert not worker.run_once()
    assert "none runs" in house.run_command("--cancel").output
    assert "1 videos to be decoded again (0:0" in house.run_command("--dry-run").output
    assert house.renew_all() == 1
    for arguments in ((), ("--dry-run",)):
        assert house.run_command(*arguments).output == f"all results are of algorithm {ALGORITHM}\n"


@pytest.mark.usefixtures("inspected")
def test_the_command_says_what_failed_and_why(house: House) -> None:
    house.grow_old()
    house.start()
    with house.db.begin() as tx:
        for name in ("film", "clip"):
            content_id = house.status(name).content_id
            assert content_id is not None
            for _ in range(2):
                reindexing.note_fault(tx, content_id, "too_long: the limit is 9 s")
        reindexing.note_fault(tx, 10**9, "a content that is gone is no trouble")
        faults = reindexing.faults(tx, limit=9)
    assert [key for key, _ in faults] == ["clip", "film"]
    assert not house.worker().run_once()
