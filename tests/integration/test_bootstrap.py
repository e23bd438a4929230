"""Bootstrap against real emulators: what it makes, what it leaves alone, what it says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from inspector.errors import ConfigError, Unavailable
from inspector.ops.bootstrap import BootstrapReport, Outcome, Probe, bootstrap, wait_for_endpoint
from inspector.ops.resources import queue_arn
from tests.services import Endpoint, Places, free_port, places_at


class Recorder:
    """Stands in for ingest and its table: remembers the bodies of the messages it took."""

    def __init__(self, places: Places) -> None:
        self._queue = places.queue
        self._bodies: list[str] = []

    def seen(self, key: str) -> bool:
        return any(key in body for body in self._bodies)

    def ingest_once(self) -> None:
        messages = self._queue.receive(wait_s=1, visibility_s=30)
        self._bodies += [message.body for message in messages]
        self._queue.delete(messages)


def run(places: Places, **options: Any) -> BootstrapReport:
    return bootstrap(places.bucket, places.queue, visibility_s=120, **{"probe": None, **options})


def probe_of(places: Places, **options: Any) -> Probe:
    recorder = Recorder(places)
    return Probe(recorder.seen, recorder.ingest_once, **options)


def attributes(places: Places, queue_name: str) -> dict[str, str]:
    client = places.queue.client
    url = client.get_queue_url(QueueName=queue_name)["QueueUrl"]
    found: Any = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return dict(found)


def rules_of(places: Places) -> list[Any]:
    client: Any = places.bucket.client
    answer = client.get_bucket_notification_configuration(Bucket=places.bucket.name)
    return list(answer.get("QueueConfigurations", []))


def test_everything_is_made_and_a_probe_comes_through(named_places: Places) -> None:
    heard: list[str] = []
    report = run(named_places, probe=probe_of(named_places), on_step=lambda step: heard.append(step.name))
    assert report.ok, report
    assert [step.name for step in report.steps] == heard
    assert [step.outcome for step in report.steps] == [
        Outcome.VERIFIED,
        *[Outcome.CREATED] * 6,
        Outcome.VERIFIED,
        Outcome.VERIFIED,
    ]
    assert named_places.bucket.list_page().objects == []


def test_the_queue_is_bound_to_bucket_account_and_dead_letter_queue(named_places: Places) -> None:
    run(named_places)
    places = named_places
    found = attributes(places, places.queue.name)
    assert (found["VisibilityTimeout"], found["MessageRetentionPeriod"]) == ("120", "1209600")
    redrive = json.loads(found["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"] == queue_arn(places.queue, places.queue.dead_letter_name)
    (statement,) = json.loads(found["Policy"])["Statement"]
    assert statement["Principal"] == {"Service": "s3.amazonaws.com"}
    assert statement["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{places.bucket.name}"},
        "StringEquals": {"aws:SourceAccount": "000000000000"},
    }


def test_ten_more_runs_write_nothing(named_places: Places) -> None:
    assert run(named_places).changed
    written: list[str] = []
    for client in (named_places.bucket.client, named_places.queue.client):
        client.meta.events.register("before-call.*.*", lambda model, **_: written.append(model.name))
    for _ in range(10):
        report = run(named_places)
        assert report.ok
        assert not report.changed
    assert not [name for name in written if name.startswith(("Put", "Set", "Create", "Delete", "Send"))]


def test_rules_and_statements_of_others_stay(bucket_and_queue: Places) -> None:
    places = bucket_and_queue
    s3: Any = places.bucket.client
    sqs: Any = places.queue.client
    other_url = sqs.create_queue(QueueName=f"{places.queue.name}-other")["QueueUrl"]
    other_arn = queue_arn(places.queue, f"{places.queue.name}-other")
    other_rule = {"Id": "others", "QueueArn": other_arn, "Events": ["s3:ObjectTagging:*"]}
    other_cors = {"ID": "others", "AllowedMethods": ["GET"], "AllowedOrigins": ["https://example.com"]}
    statement = {
        "Sid": "others",
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": other_arn,
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    own_url = sqs.get_queue_url(QueueName=places.queue.name)["QueueUrl"]
    for url in (other_url, own_url):
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    s3.put_bucket_notification_configuration(
        Bucket=places.bucket.name, NotificationConfiguration={"QueueConfigurations": [other_rule]}
    )
    s3.put_bucket_cors(Bucket=places.bucket.name, CORSConfiguration={"CORSRules": [other_cors]})

    assert run(places).ok

    assert {rule["Id"]: rule["Events"] for rule in rules_of(places)}["others"] == ["s3:ObjectTagging:*"]
    assert len(rules_of(places)) == 2
    statements = json.loads(attributes(places, places.queue.name)["Policy"])["Statement"]
    assert statement in statements
    assert len(statements) == 2
    origins = [rule["AllowedOrigins"] for rule in s3.get_bucket_cors(Bucket=places.bucket.name)["CORSRules"]]
    assert origins == [["https://example.com"], ["*"]]


def test_what_was_changed_by_hand_is_mended(named_places: Places) -> None:
    run(named_places)
    sqs: Any = named_places.queue.client
    url = sqs.get_queue_url(QueueName=named_places.queue.name)["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "7"})
    named_places.bucket.client.put_bucket_notification_configuration(
        Bucket=named_places.bucket.name, NotificationConfiguration={}
    )
    report = run(named_places, probe=probe_of(named_places))
    assert report.ok
    outcomes = {step.name.split()[0]: step.outcome for step in report.steps}
    assert outcomes["queue"] is Outcome.UPDATED
    assert outcomes["notifications"] is Outcome.CREATED


def test_verify_only_writes_nothing_and_names_what_is_missing(named_places: Places) -> None:
    report = run(named_places, verify_only=True)
    assert not report.ok
    assert [step.outcome for step in report.steps] == [Outcome.VERIFIED, *[Outcome.FAILED] * 6]
    assert all("does not exist" in step.sentence for step in report.steps[1:3])
    run(named_places)
    verified = run(named_places, verify_only=True, probe=probe_of(named_places))
    assert {step.outcome for step in verified.steps} == {Outcome.VERIFIED}


def test_a_probe_that_gets_lost_is_a_failed_step(named_places: Places) -> None:
    def nothing() -> None:
        """Ingest that finds no message."""

    report = run(named_places, probe=Probe(seen=lambda key: False, ingest_once=nothing, timeout_s=0.1))
    assert not report.ok
    assert "No event" in report.steps[-1].sentence
    assert named_places.bucket.list_page(prefix=".inspector/").objects == []


@pytest.mark.parametrize("calls", range(1, 32, 6))
def test_an_endpoint_that_dies_half_way_is_named_and_the_next_run_completes(
    named_places: Places, calls: int
) -> None:
    """Dies: after so many calls every further one goes to a port where nobody listens."""
    left = [calls]

    def die(request: Any, **_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            request.url = f"http://127.0.0.1:{dead_port}/"

    dead_port = free_port()
    clients = (named_places.bucket.client, named_places.queue.client)
    for client in clients:
        client.meta.events.register("before-sign.*.*", die, unique_id="die")
    with pytest.raises(Unavailable) as caught:
        run(named_places, wait_s=0)
    assert "127.0.0.1" in str(caught.value)
    for client in clients:
        client.meta.events.unregister("before-sign.*.*", unique_id="die")
    assert run(named_places).ok


def test_an_endpoint_that_never_answers_is_not_waited_for_forever(tmp_path: Any) -> None:
    nowhere = Endpoint("nowhere", f"http://127.0.0.1:{free_port()}")
    places = places_at(nowhere, tmp_path)
    with pytest.raises(Unavailable, match=nowhere.url):
        wait_for_endpoint(places.bucket, places.queue, timeout_s=0.3)


def test_refused_credentials_are_said_at_once(ministack: Endpoint, tmp_path: Any) -> None:
    places = places_at(ministack, tmp_path)
    forbidden = {"Error": {"Code": "403", "Message": "Forbidden"}}

    def refuse(**_: Any) -> tuple[_Answer, dict[str, Any]]:
        return _Answer(403), forbidden

    events: Any = places.bucket.client.meta.events
    events.register("before-call.s3.HeadBucket", refuse)
    with pytest.raises(ConfigError, match="credentials"):
        wait_for_endpoint(places.bucket, places.queue, timeout_s=30)


class _Answer:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code
