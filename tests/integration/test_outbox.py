"""The outbox on the real PostgreSQL: what happened is told at least once, under one id, whatever dies."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from sqlalchemy import text

from inspector.aws.publish import TAG_PREFIX, Bus, Tags, Topic
from inspector.aws.session import make_eventbridge, make_sns
from inspector.errors import BucketUnavailable
from inspector.model import State, Verdict
from inspector.store import Database, outbox
from inspector.store.outbox import DeliveryRecord, DeliveryState, EventKind, Message
from inspector.store.status import StatusReader
from inspector.wiring.targets import ALL, Tagging, make_targets
from inspector.worker.outbox import MOST_ATTEMPTS, Outbox, Target, pause_after
from inspector.worker.webhooks import NotDelivered, body_of
from tests.integration.rest import Shelf, rest_settings
from tests.services import Places


class Ear:
    """A target that remembers what it was told, and can refuse."""

    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.refusal: Exception | None = None

    def __call__(self, message: Message) -> int:
        if self.refusal is not None:
            raise self.refusal
        self.heard.append(message)
        return 200

    def told(self) -> list[tuple[str, str]]:
        return [(message.kind, key_of(message)) for message in self.heard]


def key_of(message: Message) -> str:
    key: str = message.data.get("key") or message.data["other"]["key"]
    return key


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database, "videos")


def make(db: Database, kinds: frozenset[EventKind] = ALL, **ears: Callable[[Message], int | None]) -> Outbox:
    targets = {name: Target(ear, kinds) for name, ear in ears.items()}
    return Outbox(db, StatusReader(db, min_score=0.5), targets, jitter=lambda: 0.0)


def run(box: Outbox) -> None:
    while not box.run_once():
        pass


def log_of(db: Database) -> list[DeliveryRecord]:
    with db.begin() as tx:
        return outbox.log_page(tx, before=None, limit=100, state=None, target=None)


def let_time_pass(db: Database) -> None:
    with db.begin() as tx:
        tx.execute(text("UPDATE deliveries SET due_at = now() - interval '1 s' WHERE state = 'pending'"))


def test_ends_of_jobs_and_matches_are_told_once_to_each_target(database: Database, shelf: Shelf) -> None:
    one, other = Ear(), Ear()
    box = make(database, one=one, other=other)
    shelf.put("a", State.DONE)
    run(box)
    shelf.match("a", "b", Verdict.CONTAINED)
    shelf.put("b", State.DONE)
    shelf.put("c", State.REJECTED)
    shelf.put("d", State.FAILED)
    shelf.put("e")
    run(box)
    assert sorted(one.told()) == [
        ("match.found", "a"),
        ("video.done", "a"),
        ("video.done", "b"),
        ("video.failed", "c"),
        ("video.failed", "d"),
    ]
    assert {message.event_id for message in one.heard} == {message.event_id for message in other.heard}
    found = next(message for message in one.heard if message.kind == "match.found")
    assert found.data["segments"] == [
        {"start_s": 2.0, "end_s": 6.0, "other_start_s": 0.0, "other_end_s": 4.0}
    ]
    done = next(message for message in one.heard if key_of(message) == "b")
    assert (done.data["verdict"], done.data["duplicate_of"]) == ("contained", "a")
    assert {record.state for record in log_of(database)} == {DeliveryState.DELIVERED}


def test_a_pair_that_is_found_again_is_not_told_again(database: Database, shelf: Shelf) -> None:
    ear = Ear()
    box = make(database, ear=ear)
    shelf.match("a", "b", Verdict.CONTAINED)
    for _ in range(2):
        shelf.put("a", State.DONE)
        shelf.put("b", State.DONE)
        run(box)
    assert ear.told().count(("match.found", "a")) + ear.told().count(("match.found", "b")) == 1
    assert ear.told().count(("video.done", "a")) == 2


def test_a_target_hears_only_of_what_it_wants(database: Database, shelf: Shelf) -> None:
    ear = Ear()
    shelf.put("a", State.DONE)
    shelf.put("b", State.REJECTED)
    run(make(database, frozenset({EventKind.VIDEO_FAILED}), ear=ear))
    assert ear.told() == [("video.failed", "b")]


def test_without_targets_nothing_is_kept(database: Database, shelf: Shelf) -> None:
    shelf.put("a", State.DONE)
    run(make(database))
    with database.begin() as tx:
        assert tx.scalar(text("SELECT count(*) FROM outbox")) == 0


def test_what_was_rolled_back_is_not_told(database: Database, shelf: Shelf) -> None:
    shelf.put("a")
    lease = shelf.claim("a")
    with closing(database.engine.connect()) as connection:  # without a commit
        connection.execute(text("UPDATE videos SET state = 'failed' WHERE id = :id"), {"id": lease.video_id})
    ear = Ear()
    run(make(database, ear=ear))
    assert ear.heard == []


def test_a_refusal_is_repeated_with_growing_pauses_and_given_up_in_the_end(
    database: Database, shelf: Shelf
) -> None:
    ear = Ear()
    ear.refusal = NotDelivered("answered 500", status=500)
    box = make(database, ear=ear)
    shelf.put("a", State.DONE)
    for attempt in range(1, MOST_ATTEMPTS + 1):
        run(box)
        (record,) = log_of(database)
        assert (record.attempts, record.status, record.error) == (attempt, 500, "answered 500")
        let_time_pass(database)
    assert record.state is DeliveryState.GIVEN_UP
    pauses = [pause_after(attempt) for attempt in range(1, MOST_ATTEMPTS)]
    assert pauses == sorted(pauses)
    assert 24 * 3600 < sum(pauses) < 72 * 3600
    ear.refusal = None
    with database.begin() as tx:
        outbox.send_again(tx, record.id)
    run(box)
    assert ear.told() == [("video.done", "a")]


def test_a_dead_target_holds_up_nobody(database: Database, shelf: Shelf) -> None:
    dead, alive = Ear(), Ear()
    dead.refusal = BucketUnavailable("nobody there")
    for key in "abc":
        shelf.put(key, State.DONE)
    box = make(database, dead=dead, alive=alive)
    run(box)
    assert len(alive.heard) == 3
    assert sum(record.attempts for record in log_of(database) if record.target == "dead") == 1


def test_gone_means_gone(database: Database, shelf: Shelf) -> None:
    ear = Ear()
    ear.refusal = NotDelivered("answered 410", status=410)
    shelf.put("a", State.DONE)
    run(make(database, ear=ear))
    assert log_of(database)[0].state is DeliveryState.GIVEN_UP


def test_what_the_settings_name_no_more_is_given_up(database: Database, shelf: Shelf) -> None:
    ear = Ear()
    ear.refusal = NotDelivered("answered 500", status=500)
    shelf.put("a", State.DONE)
    run(make(database, ear=ear))
    let_time_pass(database)
    run(make(database, another=Ear()))
    assert log_of(database)[0].state is DeliveryState.GIVEN_UP


def test_a_worker_that_dies_after_it_told_tells_again_under_the_same_id(
    database: Database, shelf: Shelf
) -> None:
    heard: list[Message] = []

    class Killed(BaseException):
        pass

    def dies(message: Message) -> int:
        heard.append(message)
        raise Killed

    shelf.put("a", State.DONE)
    with pytest.raises(Killed):
        run(make(database, ear=dies))
    ear = Ear()
    run(make(database, ear=ear))
    assert ear.heard == []  # its lease still runs
    let_time_pass(database)
    run(make(database, ear=ear))
    assert [message.event_id for message in ear.heard] == [message.event_id for message in heard]


def test_workers_side_by_side_tell_each_event_once(database: Database, shelf: Shelf) -> None:
    ear = Ear()
    for number in range(30):
        shelf.put(str(number), State.DONE)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: run(make(database, ear=ear)), range(4)))
    run(make(database, ear=ear))
    assert sorted(key for _, key in ear.told()) == sorted(map(str, range(30)))


def test_what_ended_long_ago_is_forgotten(database: Database, shelf: Shelf) -> None:
    shelf.put("a", State.DONE)
    run(make(database, ear=Ear()))
    with database.begin() as tx:
        tx.execute(text("UPDATE outbox SET created_at = now() - interval '8 days'"))
        assert outbox.count_old(tx, timedelta(days=9)) == outbox.forget_old(tx, timedelta(days=9)) == 0
        assert outbox.count_old(tx, timedelta(days=7)) == outbox.forget_old(tx, timedelta(days=7)) == 1
    assert log_of(database) == []


# ---------------------------------------------------------------- where users of AWS expect results


def tags_of(places: Places, key: str) -> dict[str, str]:
    found = places.bucket.client.get_object_tagging(Bucket=places.bucket.name, Key=key)["TagSet"]
    return {tag["Key"].removeprefix(TAG_PREFIX): tag["Value"] for tag in found}


def test_objects_are_tagged_and_keep_the_tags_of_others(bucket_and_queue: Places, database: Database) -> None:
    places = bucket_and_queue
    shelf = Shelf(database, places.bucket.name)
    client, bucket = places.bucket.client, places.bucket.name
    for key in ("film.mp4", "clip.mp4", "text.txt"):
        places.bucket.put(key, b"x")
    client.put_object_tagging(
        Bucket=bucket, Key="clip.mp4", Tagging={"TagSet": [{"Key": "team", "Value": "news"}]}
    )
    modified = places.bucket.head("clip.mp4")
    shelf.put("film.mp4", State.DONE)
    shelf.match("film.mp4", "clip.mp4", Verdict.CONTAINED)
    tagging = Tagging(Tags(client, bucket), StatusReader(database, min_score=0.5))
    box = make(database, tags=tagging.tell)
    run(box)
    assert tags_of(places, "film.mp4") == {"status": "done", "verdict": "none"}
    shelf.put("clip.mp4", State.DONE)
    shelf.put("text.txt", State.REJECTED)
    shelf.put("gone.mp4", State.DONE)
    run(box)
    assert tags_of(places, "clip.mp4") == {
        "team": "news",
        "status": "done",
        "verdict": "contained",
        "duplicate-of": "film.mp4",
    }
    assert tags_of(places, "film.mp4")["verdict"] == "contained"
    assert tags_of(places, "text.txt") == {"status": "rejected"}
    assert places.bucket.head("clip.mp4") == modified
    assert {record.state for record in log_of(database)} == {DeliveryState.DELIVERED}


@pytest.mark.parametrize("aws_endpoint", ["localstack"], indirect=True)
def test_results_arrive_by_a_topic_and_by_a_bus(bucket_and_queue: Places, database: Database) -> None:
    """Both hand on to a queue, as people subscribe to them."""
    places = bucket_and_queue
    name, sqs = places.settings.bucket, places.queue.client
    sns, events = make_sns(places.settings), make_eventbridge(places.settings)
    url = sqs.get_queue_url(QueueName=places.queue.name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    only_done = {"RawMessageDelivery": "true", "FilterPolicy": json.dumps({"type": ["video.done"]})}
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=only_done)
    events.create_event_bus(Name=name)
    pattern = json.dumps({"source": ["video-inspector"], "detail-type": ["video.failed"]})
    events.put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "1", "Arn": arn}])

    settings = places.settings.model_copy(update={"sns_topic_arn": topic, "eventbridge_bus": name})
    statuses = StatusReader(database, min_score=0.5)
    shelf = Shelf(database, name)
    shelf.put("a.mp4", State.DONE)
    shelf.put("b.mp4", State.FAILED)
    run(Outbox(database, statuses, make_targets(settings, statuses)))
    assert {record.state for record in log_of(database)} == {DeliveryState.DELIVERED}
    heard: list[dict[str, Any]] = []
    while len(heard) < 2:
        messages = places.queue.receive(wait_s=5, visibility_s=60)
        assert messages, heard
        heard += [json.loads(message.body) for message in messages]
        places.queue.delete(messages)
    (by_topic,) = (each for each in heard if "detail" not in each)
    (by_bus,) = (each for each in heard if "detail" in each)
    assert (by_topic["type"], by_topic["data"]["key"]) == ("video.done", "a.mp4")
    assert (by_bus["source"], by_bus["detail-type"]) == ("video-inspector", "video.failed")
    assert by_bus["detail"]["data"]["key"] == "b.mp4"


def test_what_a_topic_or_a_bus_refuses_is_repeated(database: Database, tmp_path: Path) -> None:
    """An emulator refuses nothing, so botocore answers; it checks the calls against AWS's description."""
    settings = rest_settings(tmp_path)
    sns, events = make_sns(settings), make_eventbridge(settings)
    Shelf(database, "videos").put("a", State.DONE)
    topic, bus = Topic(sns, "arn:aws:sns:us-east-1:123456789012:results"), Bus(events, "results")
    box = make(
        database,
        sns=lambda message: topic.publish(message.kind, body_of(message)),
        eventbridge=lambda message: bus.put(message.kind, body_of(message)),
    )
    wanted = {
        "Source": "video-inspector",
        "DetailType": "video.done",
        "Detail": ANY,
        "EventBusName": "results",
    }
    with Stubber(sns) as of_sns, Stubber(events) as of_events:
        attributes = {"type": {"DataType": "String", "StringValue": "video.done"}}
        of_sns.add_response(
            "publish",
            {"MessageId": "1"},
            {"TopicArn": ANY, "Message": ANY, "MessageAttributes": attributes},
        )
        refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}
        of_events.add_response("put_events", refused, {"Entries": [wanted]})
        run(box)
        states = {record.target: record.state for record in log_of(database)}
        assert states == {"sns": DeliveryState.DELIVERED, "eventbridge": DeliveryState.PENDING}
        let_time_pass(database)
        accepted = {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}
        of_events.add_response("put_events", accepted, {"Entries": [wanted]})
        run(box)
    assert {record.state for record in log_of(database)} == {DeliveryState.DELIVERED}
