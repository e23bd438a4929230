"""Ingest, consumer and sweep against real S3 and SQS (both emulators) and the real PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest
from botocore.exceptions import ClientError
from sqlalchemy import text

from inspector.errors import BucketUnavailable, DatabaseUnavailable, SweepBusy
from inspector.model import EventKind, ObjectEvent, State, VideoStatus
from inspector.store import Database, jobs, sweeps
from inspector.store.status import StatusReader
from inspector.worker.consumer import Consumer
from inspector.worker.dead_letters import DeadLetters
from inspector.worker.ingest import Ingest, Outcome
from inspector.worker.sweep import Sweep
from tests.services import Places


@dataclass
class House:
    """All that ingest needs, around one bucket."""

    places: Places
    db: Database

    def __post_init__(self) -> None:
        settings = self.places.settings.model_copy(update={"poll_wait_s": 0, "sweep_slice": 3})
        self.bucket, self.queue = self.places.bucket, self.places.queue
        self.ingest = Ingest(self.db, self.bucket, settings)
        self.consumer = Consumer(self.db, self.queue, self.ingest, settings)
        self.sweep = Sweep(self.db, self.bucket, self.ingest, settings)
        self.letters = DeadLetters(self.db, self.queue, settings)

    def state(self, key: str) -> State | None:
        status = self.status(key)
        return status.state if status else None

    def status(self, key: str) -> VideoStatus | None:
        return StatusReader(self.db, min_score=0.5).by_key(self.bucket.name, key)

    def finish(self, key: str, state: State = State.DONE) -> None:
        with self.db.begin() as tx:
            tx.execute(
                text("UPDATE videos SET state = :state, lease_token = NULL WHERE key = :key"),
                {"state": state, "key": key},
            )

    def send(self, *records: dict[str, Any]) -> None:
        self.queue.send(json.dumps({"Records": list(records)}))

    def record(self, key: str, name: str = "ObjectCreated:Put", **fields: Any) -> dict[str, Any]:
        return {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": name,
            "s3": {"bucket": {"name": self.bucket.name}, "object": {"key": quote_plus(key), **fields}},
        }

    def event(self, key: str, sequencer: str, kind: EventKind = EventKind.CREATED) -> ObjectEvent:
        return ObjectEvent(self.bucket.name, key, kind, sequencer)

    def dead_letters(self) -> list[str]:
        client = self.queue.client
        url = client.get_queue_url(QueueName=self.queue.dead_letter_name)["QueueUrl"]
        answer = client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
        )
        return [m["MessageAttributes"]["reason"]["StringValue"] for m in answer.get("Messages", [])]


@pytest.fixture
def house(bucket_and_queue: Places, database: Database) -> Iterator[House]:
    house = House(bucket_and_queue, database)
    with closing(house.ingest):
        yield house


# ---------------------------------------------------------------- ingest


@pytest.mark.parametrize(
    "key", ["a b+c%20.mp4", "'\"<script>🎬", "/leading//double/", "-dash", "x/" * 499 + "é", "..", "%2F"]
)
def test_odd_keys_are_keys_like_any_other(house: House, key: str) -> None:
    house.bucket.put(key, b"x")
    assert house.ingest.look_at(key) is Outcome.QUEUED
    assert house.state(key) is State.QUEUED


def test_looking_again_changes_nothing(house: House) -> None:
    house.bucket.put("a", b"x")
    assert [house.ingest.look_at("a") for _ in range(3)] == ["queued", "unchanged", "unchanged"]


def test_a_deleted_object_removes_its_video_and_its_return_revives_it(house: House) -> None:
    house.bucket.put("a", b"x")
    house.ingest.look_at("a")
    house.finish("a")
    house.bucket.delete("a")
    assert house.ingest.look_at("a") is Outcome.REMOVED
    assert house.state("a") is State.REMOVED
    house.bucket.put("a", b"x")
    assert house.ingest.look_at("a") is Outcome.QUEUED


def test_an_overwritten_object_is_inspected_again(house: House) -> None:
    house.bucket.put("a", b"x")
    house.ingest.look_at("a")
    house.finish("a")
    house.bucket.put("a", b"other")
    assert house.ingest.look_at("a") is Outcome.QUEUED


def test_an_old_event_never_undoes_a_newer_one(house: House) -> None:
    house.bucket.put("a", b"x")
    house.ingest.look_at("a", house.event("a", "0010"))
    assert house.ingest.look_at("a", house.event("a", "9", EventKind.REMOVED)) is Outcome.OUTDATED
    assert house.ingest.look_at("a", house.event("a", "10")) is Outcome.UNCHANGED
    assert house.state("a") is State.QUEUED


def test_a_late_delete_event_does_not_remove_what_is_there_again(house: House) -> None:
    house.bucket.put("a", b"x")
    house.ingest.look_at("a")
    assert house.ingest.look_at("a", house.event("a", "FF", EventKind.REMOVED)) is Outcome.UNCHANGED


def test_deleting_a_delete_marker_revives_the_video(house: House) -> None:
    client, name = house.bucket.client, house.bucket.name
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    house.bucket.put("a", b"x")
    house.ingest.look_at("a")
    house.finish("a")
    marker = client.delete_object(Bucket=name, Key="a")["VersionId"]
    assert house.ingest.look_at("a") is Outcome.REMOVED
    client.delete_object(Bucket=name, Key="a", VersionId=marker)
    assert house.ingest.look_at("a") is Outcome.QUEUED


def test_filtered_and_reserved_keys_never_become_videos(house: House) -> None:
    house.ingest = Ingest(
        house.db, house.bucket, house.places.settings.model_copy(update={"key_suffixes": (".mp4",)})
    )
    for key in ("notes.txt", ".inspector/thumbnails/x.mp4", ".inspector/probe/1"):
        house.bucket.put(key, b"x")
        assert house.ingest.look_at(key) is Outcome.IGNORED
        assert house.state(key) is None
    house.bucket.put("A.MP4", b"x")
    assert house.ingest.look_at("A.MP4") is Outcome.QUEUED


# ---------------------------------------------------------------- consumer


def test_a_message_is_deleted_once_its_events_are_ingested(house: House) -> None:
    house.bucket.put("a", b"x")
    house.bucket.put("b c", b"x")
    house.send(house.record("a"), house.record("b c"))
    house.consumer.run_once()
    assert (house.state("a"), house.state("b c")) == (State.QUEUED, State.QUEUED)
    depths = house.queue.depths()
    assert (depths.visible, depths.in_flight) == (0, 0)


def test_new_keys_of_a_batch_are_queued_together_and_known_ones_are_left(house: House) -> None:
    for key in ("known", "new", "new too", "gone"):
        house.bucket.put(key, b"x")
    house.ingest.look_at("known")
    house.bucket.delete("gone")
    events = [house.event(key, "1") for key in ("known", "new", "new too", "gone", ".inspector/probe/x")]
    assert house.ingest.look_at_new(events) == {
        "new": Outcome.QUEUED,
        "new too": Outcome.QUEUED,
        "gone": Outcome.UNCHANGED,
    }
    assert [house.state(key) for key in ("new", "new too", "gone")] == [State.QUEUED, State.QUEUED, None]
    assert house.ingest.look_at_new(events) == {"gone": Outcome.UNCHANGED}


def test_a_batch_that_fails_is_handled_message_by_message(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(events: list[ObjectEvent]) -> dict[str, Outcome]:
        raise ZeroDivisionError

    monkeypatch.setattr(house.ingest, "look_at_new", fail)
    for key in ("a", "b"):
        house.bucket.put(key, b"x")
        house.send(house.record(key))
    house.consumer.run_once()
    assert {house.state(key) for key in ("a", "b")} == {State.QUEUED}
    assert house.queue.receive(wait_s=0, visibility_s=30) == []


def test_two_events_of_one_key_in_a_batch_are_taken_in_their_order(house: House) -> None:
    for key in ("a", "b", "c"):
        house.bucket.put(key, b"x")
    for key, sequencer in (("a", "2"), ("b", "1"), ("a", "1"), ("c", "1")):
        house.send(house.record(key, sequencer=sequencer))
    house.consumer.run_once()
    assert {house.state(key) for key in ("a", "b", "c")} == {State.QUEUED}
    assert house.ingest.look_at("a", house.event("a", "1")) is Outcome.OUTDATED


def test_malformed_messages_are_dead_lettered_with_the_reason_and_delay_nobody(house: House) -> None:
    house.bucket.put("a", b"x")
    house.queue.send("not json")
    house.send({**house.record("a"), "eventVersion": "9.9"})
    house.send({**house.record("a"), "s3": {"bucket": {"name": "foreign"}, "object": {"key": "a"}}})
    house.send(house.record("a"))
    for _ in range(4):
        house.consumer.run_once()
    assert house.state("a") is State.QUEUED
    reasons = sorted(house.dead_letters())
    assert [reason[:12] for reason in reasons] == ["bucket 'fore", "event versio", "not JSON"]


def test_an_object_that_is_not_for_us_is_dead_lettered_and_delays_nobody(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask = house.bucket.client.head_object

    def refuse_one(**request: Any) -> Any:
        if request["Key"] == "forbidden":
            answer: Any = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise ClientError(answer, "HeadObject")
        return ask(**request)

    monkeypatch.setattr(house.bucket.client, "head_object", refuse_one)
    for key in ("forbidden", "a"):
        house.bucket.put(key, b"x")
        house.send(house.record(key))
    house.consumer.run_once()
    house.consumer.run_once()
    assert house.state("a") is State.QUEUED
    assert ["403" in reason for reason in house.dead_letters()] == [True]
    assert house.sweep.run_whole() is None, "nor does it stop a sweep"


def test_nothing_is_received_while_the_database_is_away(house: House) -> None:
    house.send(house.record("a"))
    away = Database("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    consumer = Consumer(away, house.queue, house.ingest, house.places.settings)
    with pytest.raises(DatabaseUnavailable):
        consumer.run_once()
    assert house.queue.depths().visible == 1


def test_messages_come_again_when_the_bucket_could_not_be_asked(house: House) -> None:
    house.bucket.put("a", b"x")
    house.send(house.record("a"))
    house.bucket.client.delete_object(Bucket=house.bucket.name, Key="a")
    house.bucket.client.delete_bucket(Bucket=house.bucket.name)
    with pytest.raises(BucketUnavailable):
        house.consumer.run_once()
    assert house.queue.depths().visible == 1
    house.bucket.client.create_bucket(Bucket=house.bucket.name)
    house.bucket.put("a", b"x")
    house.consumer.run_once()
    assert house.state("a") is State.QUEUED


def test_the_breaker_opens_when_the_queue_is_gone_and_closes_when_it_is_back(house: House) -> None:
    client = house.queue.client
    url = client.get_queue_url(QueueName=house.queue.name)["QueueUrl"]
    client.delete_queue(QueueUrl=url)
    for _ in range(3):
        house.consumer.run_once()
    assert house.consumer.breaker.state == "open"
    assert house.consumer.run_once() > 0, "an open breaker says how long to wait"
    client.create_queue(QueueName=house.queue.name)
    house.consumer.breaker._wait_until = 0
    house.consumer.run_once()
    assert house.consumer.breaker.state == "closed"


def test_redriving_the_dead_letter_queue_inspects_a_failed_video_again(house: House) -> None:
    house.bucket.put("a", b"x")
    house.ingest.look_at("a")
    with house.db.begin() as tx:
        lease = jobs.claim(tx, "w", lease_s=60, max_attempts=1)
        assert lease is not None
        jobs.retry(tx, lease, "broken beyond repair", pause_s=0)
    house.letters.run_once()
    client = house.queue.client
    url = client.get_queue_url(QueueName=house.queue.dead_letter_name)["QueueUrl"]
    (letter,) = client.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert letter["MessageAttributes"]["reason"]["StringValue"] == "broken beyond repair"
    house.queue.send(letter["Body"])
    house.consumer.run_once()
    status = house.status("a")
    assert status is not None
    assert (status.state, status.attempts) == (State.QUEUED, 0)


# ---------------------------------------------------------------- sweep


def test_a_sweep_finds_every_video_whose_event_was_lost(house: House) -> None:
    # In one slice: LocalStack compares `StartAfter` with URL-encoded keys, and passes over some that need it.
    sweep = Sweep(house.db, house.bucket, house.ingest, house.places.settings)
    keys = [f"k{n}" for n in range(10)] + ["é b+%20", "zz/🎬"]
    for key in keys:
        house.bucket.put(key, b"x")
    assert sweep.run_whole() is None
    assert {house.state(key) for key in keys} == {State.QUEUED}


def test_a_sweep_goes_slice_by_slice_and_resumes_in_another_process(house: House) -> None:
    for n in range(7):
        house.bucket.put(f"k{n}", b"x")
    assert house.sweep.run_once()
    assert (house.state("k2"), house.state("k3")) == (State.QUEUED, None)
    other = House(house.places, house.db)
    while other.sweep.run_once():
        pass
    assert house.state("k6") is State.QUEUED
    assert not house.sweep.run_once(), "the next one is not due yet"


def test_a_sweep_notices_lost_deletions_and_overwrites(house: House) -> None:
    for n in range(20):
        house.bucket.put(f"k{n:02}", b"x")
    house.sweep.run_whole()
    for n in range(20):
        house.finish(f"k{n:02}")
    house.bucket.delete("k05")
    house.bucket.put("k07", b"other bytes")
    assert house.sweep.run_whole() is None
    assert (house.state("k05"), house.state("k07")) == (State.REMOVED, State.QUEUED)
    assert house.state("k06") is State.DONE


def test_a_sweep_that_would_remove_too_much_stops_and_waits_for_a_confirmation(house: House) -> None:
    for n in range(10):
        house.bucket.put(f"k{n}", b"x")
    house.sweep.run_whole()
    for n in range(10):
        house.bucket.delete(f"k{n}")
    blocked = house.sweep.run_whole()
    assert blocked is not None
    assert "10 of 10" in blocked
    assert house.state("k0") is State.QUEUED
    assert StatusReader(house.db, min_score=0).overview(house.bucket.name).sweep_blocked == blocked
    assert house.sweep.run_whole(confirm_removals=True) is None
    assert house.state("k0") is State.REMOVED


def test_one_process_sweeps_at_a_time_and_a_sweep_that_is_asked_for_says_so(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.worker.sweep._PATIENCE_S", 0.1)
    with sweeps.only_sweeper(house.db, house.bucket.name) as mine:
        assert mine
        assert not house.sweep.run_once()
        with pytest.raises(SweepBusy):
            house.sweep.run_whole()
    assert house.sweep.run_whole() is None


def test_a_failed_listing_removes_nothing(house: House) -> None:
    house.bucket.put("a", b"x")
    house.sweep.run_whole()
    house.bucket.delete("a")
    house.bucket.client.delete_bucket(Bucket=house.bucket.name)
    with pytest.raises(BucketUnavailable):
        house.sweep.run_whole()
    assert house.state("a") is State.QUEUED
