"""Queue messages that strangers might send, and what has to hold for each of them.

Hypothesis makes them in `tests/unit/worker/test_hostile_messages.py`. `make fuzz` looks for more with
atheris, which is guided by the branches of the parser that a body reaches:

    python -m tests.fuzz.messages -max_total_time=60
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any, Final
from urllib.parse import quote_plus

import structlog

from inspector.aws.queue import MAX_MESSAGE_BYTES, Queue
from inspector.events import parse, redrive_body
from inspector.model import ObjectEvent, QueueMessage
from inspector.settings import Settings
from inspector.worker.consumer import Consumer
from tests.services import ROOT, settings_for_test

BUCKET: Final = "videos"
CORPUS: Final = ROOT / "build" / "fuzz"  # what reached new branches is kept for the next run
_XML: Final = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


class _Sqs:
    """SQS as strict as AWS: it takes no other character than those of XML, and no more bytes than it says."""

    def __init__(self) -> None:
        self.dead = 0
        self.deleted: list[str] = []

    def get_queue_url(self, QueueName: str) -> dict[str, str]:  # noqa: N803 - as boto3 has it
        return {"QueueUrl": QueueName}

    def send_message(self, QueueUrl: str, MessageBody: str, MessageAttributes: Any) -> None:  # noqa: N803
        texts = [MessageBody, *(value["StringValue"] for value in MessageAttributes.values())]
        assert QueueUrl.endswith("-dlq")
        assert all(text and _XML.fullmatch(text) for text in texts)
        assert sum(len(text.encode()) for text in [*texts, *MessageAttributes]) <= MAX_MESSAGE_BYTES
        self.dead += 1

    def delete_message_batch(self, QueueUrl: str, Entries: Any) -> dict[str, Any]:  # noqa: N803
        self.deleted += [entry["ReceiptHandle"] for entry in Entries]
        return {}


class _Ingest:
    """Remembers the keys that it was to look at."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    def look_at(self, key: str, event: ObjectEvent) -> None:
        assert event.key == key
        assert event.bucket == BUCKET
        assert 1 <= len(key.encode()) <= 1024
        assert "\0" not in key
        self.keys.append(key)


def survives(bodies: list[str]) -> tuple[int, int]:
    """Hand a batch to a consumer. Returns how many were dead-lettered, and how many keys were looked at.

    Raises AssertionError unless each message was dealt with: nothing raised or logged as an error, everything
    deleted, nothing sent on that SQS would refuse.
    """
    sqs, ingest = _Sqs(), _Ingest()
    queue: Any = Queue(sqs, "events", "events-dlq")  # type: ignore[arg-type]
    database: Any = None  # the consumer asks it before it receives, and never while it handles
    consumer = Consumer(database, queue, ingest, _settings())  # type: ignore[arg-type]
    messages = [QueueMessage(str(n), f"receipt {n}", body) for n, body in enumerate(bodies)]
    with structlog.testing.capture_logs() as entries:
        consumer.handle(messages)
    assert not [entry for entry in entries if entry["log_level"] in ("error", "critical")], entries
    assert sqs.deleted == [message.receipt_handle for message in messages]
    return sqs.dead, len(ingest.keys)


@cache
def _settings() -> Settings:
    return settings_for_test(bucket=BUCKET)


def examples() -> Iterator[str]:
    """One good message of each kind, to start from."""
    for key in ("a.mp4", "films/a b+ü.mp4"):
        found = {"key": quote_plus(key), "sequencer": "0055AED6DCD90281E5", "versionId": "v1", "size": 1}
        record = {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": BUCKET}, "object": found},
        }
        event = json.dumps({"Records": [record]})
        detail = {"bucket": {"name": BUCKET}, "object": {"key": key, "version-id": "v2"}}
        yield event
        yield json.dumps({"Type": "Notification", "Message": event})
        yield json.dumps({"detail-type": "Object Created", "detail": detail})
        yield redrive_body(BUCKET, key, "because")
    yield json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})


def main() -> None:
    """Fuzz until libFuzzer's limits end the process; a body that fails is written to a file `crash-…`."""
    import atheris  # the tests do without it

    for function in list(vars(parse).values()):
        if inspect.isfunction(function) and function.__module__ == parse.__name__:
            atheris.instrument_func(function)
    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, body in enumerate(examples()):
        (CORPUS / f"example-{number}").write_text(body)
    atheris.Setup([*sys.argv, str(CORPUS)], _survives_bytes)
    atheris.Fuzz()


def _survives_bytes(data: bytes) -> None:
    survives([data.decode(errors="surrogateescape")])


if __name__ == "__main__":
    main()
