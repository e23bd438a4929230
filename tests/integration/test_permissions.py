"""The policies in infra/iam permit exactly what each role does: nothing is missing, nothing is unused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest
import requests
from flask import Flask

from inspector.api import create_app
from inspector.api.v1 import Adapters
from inspector.aws import Bucket, make_signer
from inspector.aws.publish import Tags
from inspector.aws.uploads import Uploads
from inspector.errors import BucketUnavailable, Unavailable
from inspector.ops.actions import Actions
from inspector.review.actions import ActionKind
from inspector.settings import Settings
from inspector.store import Database
from inspector.store.listen import ChangeListener
from inspector.store.status import StatusReader
from inspector.wiring.adapters import make_bucket, make_queue
from inspector.wiring.bootstrap import run_bootstrap
from inspector.wiring.reviews import make_reviews
from inspector.worker.consumer import Consumer
from inspector.worker.sweep import Sweep
from inspector.worker.thumbnails import ThumbnailMaker
from tests.integration.test_inspection import House
from tests.integration.test_review_actions import Stockroom
from tests.services import ROOT, Endpoint, Places, places_at, wait_until

BUCKET_ARN: Final = "arn:aws:s3:::videos"
QUEUE_ARN: Final = "arn:aws:sqs:eu-west-1:123456789012:"

#: Which permission an operation takes, where it is not called like it.
#: Source: Service Authorization Reference, "Actions, resources, and condition keys" for Amazon S3 and SQS.
ACTIONS: Final = {
    "HeadBucket": "s3:ListBucket",
    "ListParts": "s3:ListMultipartUploadParts",
    "CreateMultipartUpload": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "GetBucketCors": "s3:GetBucketCORS",
    "PutBucketCors": "s3:PutBucketCORS",
    "GetBucketNotificationConfiguration": "s3:GetBucketNotification",
    "PutBucketNotificationConfiguration": "s3:PutBucketNotification",
    "CopyObject": "s3:PutObject",
    "DeleteMessageBatch": "sqs:DeleteMessage",
    "ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
OF_VERSIONS: Final = {
    "s3:GetObject": "s3:GetObjectVersion",
    "s3:DeleteObject": "s3:DeleteObjectVersion",
}
#: What a copy asks of its source besides, for the object and its tags, and of its target for the tags.
BY_A_COPY: Final = ("s3:GetObject", "s3:GetObjectTagging"), ("s3:PutObjectTagging",)

Call = tuple[str, str]  # action, ARN


@dataclass
class Recorder:
    """Every call that a bucket and its queues get, as a permission that it takes."""

    places: Places
    calls: set[Call] = field(default_factory=set)

    def __post_init__(self) -> None:
        for client in (self.places.bucket.client, self.places.queue.client):
            client.meta.events.register("provide-client-params.*.*", self._hear)

    def _hear(self, params: dict[str, Any], model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        action = ACTIONS.get(model.name, f"{service}:{model.name}")
        if params.get("VersionId"):
            action = OF_VERSIONS[action]
        self.calls.add((action, self._arn(params)))
        if model.name == "CopyObject":
            of_source, of_target = BY_A_COPY
            self.calls |= {(each, self._arn(params["CopySource"])) for each in of_source}
            self.calls |= {(each, self._arn(params)) for each in of_target}

    def _arn(self, params: dict[str, Any]) -> str:
        if "Bucket" in params:
            return BUCKET_ARN + (f"/{params['Key']}" if "Key" in params else "")
        dead = (params.get("QueueName") or params["QueueUrl"]).endswith("-dlq")
        return QUEUE_ARN + ("video-events-dlq" if dead else "video-events")


@cache
def grants(role: str) -> frozenset[Call]:
    """Each action with each resource that the role's policy names."""
    policy = json.loads((ROOT / "infra" / "iam" / f"{role}.json").read_text())
    assert policy["Version"] == "2012-10-17"
    assert all(
        one["Effect"] == "Allow" and set(one) == {"Sid", "Effect", "Action", "Resource"}
        for one in policy["Statement"]
    )
    return frozenset(
        (action, resource)
        for statement in policy["Statement"]
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    )


def as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def permits(grant: Call, call: Call) -> bool:
    return grant[0] == call[0] and fnmatchcase(call[1], grant[1])


def judge(role: str, calls: set[Call]) -> None:
    missing = {call for call in calls if not any(permits(grant, call) for grant in grants(role))}
    unused = {grant for grant in grants(role) if not any(permits(grant, call) for call in calls)}
    assert (missing, unused) == (set(), set())


@pytest.fixture
def places(ministack: Endpoint, tmp_path: Path, database_url: str) -> Places:
    return places_at(ministack, tmp_path, idle_poll_s=0.05, poll_wait_s=1, database_url=database_url)


def down(*_: object) -> NoReturn:
    raise BucketUnavailable("on purpose")


@contextmanager
def bucket_down(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody can look at a key meanwhile."""
    with monkeypatch.context() as patch, suppress(Unavailable):
        patch.setattr(Bucket, "head", down)
        yield


def test_bootstrap_is_permitted_what_it_does_and_no_more(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(places)
    monkeypatch.setattr("inspector.wiring.bootstrap.make_bucket", lambda _: places.bucket)
    monkeypatch.setattr("inspector.wiring.bootstrap.make_queue", lambda _: places.queue)
    assert run_bootstrap(places.settings).ok
    others(places).queue.send("malformed")
    others(places).bucket.put("a.mp4", b"x")
    assert run_bootstrap(places.settings).ok
    others(places).bucket.put("b.mp4", b"x")
    with bucket_down(monkeypatch):
        run_bootstrap(places.settings)
    judge("bootstrap", recorder.calls)


def test_a_worker_is_permitted_what_it_does_and_no_more(
    places: Places, database: Database, films: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run_bootstrap(places.settings).ok
    others(places).bucket.client.put_bucket_versioning(
        Bucket=places.bucket.name, VersioningConfiguration={"Status": "Enabled"}
    )
    recorder = Recorder(places)
    house = House(places, database)
    consumer = Consumer(database, places.queue, house.ingest, places.settings)
    others(places).bucket.put("a.mp4", films["clip"].read_bytes())
    with bucket_down(monkeypatch):
        until_empty(places, consumer)
    others(places).queue.send("malformed")
    until_empty(places, consumer)
    house.worker().run_once()
    assert house.status("a.mp4").state.final
    assert house.ingest.look_at("nothing there")
    Sweep(database, places.bucket, house.ingest, places.settings).run_whole(confirm_removals=False)
    tight = places.settings.model_copy(update={"thumbnails_bytes": 1})
    ThumbnailMaker(database, places.bucket, tight).tidy_once()
    Uploads(places.bucket.client, places.bucket.name, places.bucket.client).abort("a.mp4", "long gone")
    judge("worker", recorder.calls)


def test_the_web_is_permitted_what_it_does_and_no_more(places: Places, database: Database) -> None:
    assert run_bootstrap(places.settings).ok
    recorder = Recorder(places)
    others(places).bucket.put("a.mp4", b"no video")
    client = web_over(places, database).test_client()
    assert client.get("/status/a.mp4").status_code == 200
    assert client.get("/status/b.mp4").status_code == 404
    assert client.get("/api/v1/system").get_json()["queue"]["dead"] == 0
    for end in ("completion", "abort"):
        asked = {"key": f"{end}.mp4", "size_bytes": 1, "in_parts": True}
        address = client.post("/api/v1/uploads", json=asked).headers["Location"]
        parts = client.post(f"{address}/parts", json={"part_numbers": [1]}).get_json()["parts"]
        requests.put(parts[0]["url"], data=b"x", timeout=20).raise_for_status()
        recorder.calls.add(("s3:PutObject", f"{BUCKET_ARN}/{end}.mp4"))  # by the address that we signed
        gone = client.delete(address) if end == "abort" else client.post(f"{address}/completion")
        assert gone.status_code < 300
    judge("web", recorder.calls)


def test_publishing_is_permitted_what_it_does_and_no_more(places: Places, database: Database) -> None:
    assert run_bootstrap(places.settings).ok
    others(places).bucket.put("a.mp4", b"x")
    recorder = Recorder(places)
    assert Tags(places.bucket.client, places.bucket.name).write("a.mp4", {"status": "done"})
    recorder.calls |= {
        ("sns:Publish", "arn:aws:sns:eu-west-1:123456789012:video-results"),
        ("events:PutEvents", "arn:aws:events:eu-west-1:123456789012:event-bus/video-results"),
    }
    assert {call for call in recorder.calls if not any(permits(g, call) for g in grants("publish"))} == set()
    assert {action for action, _ in recorder.calls} == {action for action, _ in grants("publish")}


def test_a_reviewer_is_permitted_what_they_do_and_no_more(places: Places, database: Database) -> None:
    assert run_bootstrap(places.settings).ok
    recorder = Recorder(others(places))
    room = Stockroom(places, database)
    room.keep_versions()
    room.duplicates("a.mp4", "b.mp4")
    actions = Actions(database, recorder.places.bucket)
    for kind in ActionKind:
        plan = actions.plan(kind, prefix="trash/")
        (done,) = actions.apply(plan, actor="ann")
        assert done.action is not None
        assert [each.error for each in actions.undo([done.action.id], actor="ann")] == [None]
    judge("reviewer", recorder.calls)


def test_policies_name_what_the_settings_name_by_default() -> None:
    defaults = Settings(_env_file=None)  # type: ignore[call-arg]
    resources = {
        resource.split("/")[0]
        for role in ("web", "worker", "bootstrap", "reviewer")
        for _, resource in grants(role)
    }
    assert resources == {
        f"arn:aws:s3:::{defaults.bucket}",
        f"arn:aws:sqs:*:*:{defaults.queue}",
        f"arn:aws:sqs:*:*:{defaults.dead_letter_queue}",
    }


def web_over(places: Places, db: Database) -> Flask:
    """The web application, with the clients of these places."""
    uploads = Uploads(places.bucket.client, places.bucket.name, make_signer(places.settings))
    return create_app(
        places.settings,
        StatusReader(db, min_score=0.5),
        lambda: ChangeListener(db),
        places.bucket,
        adapters=Adapters(
            db,
            places.bucket,
            places.queue,
            uploads,
            make_reviews(places.settings, db),
            Actions(db, places.bucket),
        ),
    )


def others(places: Places) -> Places:
    """The same places, as somebody uses them whose calls are not ours."""
    settings = places.settings
    return Places(settings, make_bucket(settings), make_queue(settings))


def until_empty(places: Places, consumer: Consumer) -> None:
    """Let the consumer take all that has arrived. Raises Unavailable."""
    depths = others(places).queue.depths
    wait_until(lambda: depths().visible, timeout_s=20)
    while depths().visible:
        consumer.run_once()
