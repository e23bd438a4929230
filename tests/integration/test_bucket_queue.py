"""The adapters of bucket and queue against real emulators; every test runs on each of them."""

from __future__ import annotations

import hashlib
import os
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from inspector.aws import Bucket
from inspector.errors import BucketUnavailable, ObjectChanged, ObjectGone, QueueUnavailable
from inspector.model import QueueMessage
from tests.services import Places, wait_until

ODD_KEYS = [
    "with spaces",
    "a+b",
    "100%41",
    "quotes'\"`",
    "emoji 🎬 é",
    "-dash",
    "/leading/slash",
    "double//slash/",
    "tab\tnewline\nbell\x07",
    "k" * 1000,
    "../up",
    "a/./b/../c",
    "?query=1&x#fragment",
]


class Collected:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data


def read(bucket: Bucket, key: str, **arguments: Any) -> bytes:
    sink = Collected()
    bucket.download(key, sink, **arguments)
    return sink.data


# ---------------------------------------------------------------- bucket


def test_odd_keys_work_like_any_other(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    for key in ODD_KEYS:
        bucket.put(key, key.encode())
        assert read(bucket, key) == key.encode()
    page = bucket.list_page()
    assert [key for key, _ in page.objects] == sorted(ODD_KEYS)
    assert page.last
    for key, listed in page.objects:
        assert listed == bucket.head(key)
        bucket.delete(key)
        assert bucket.head(key) is None


def test_listing_goes_on_after_a_key(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    keys = [f"clips/{n:02}" for n in range(7)] + ["other"]
    for key in keys:
        bucket.put(key, b"")
    found: list[str] = []
    last = False
    while not last:
        page = bucket.list_page(start_after=found[-1] if found else "", prefix="clips/", limit=3)
        found += [key for key, _ in page.objects]
        last = page.last
    assert found == keys[:7]


def test_a_listing_in_pages_misses_no_odd_key(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    odd = [key for key in ODD_KEYS if "\x07" not in key]  # XML cannot hold it
    keys = sorted([*odd, *(f"clip {n}.mp4" for n in range(5)), "z.mp4", "ä/ö.mp4", "%25.mp4"])
    for key in keys:
        bucket.put(key, b"")
    found: list[str] = []
    for _ in keys:
        page = bucket.list_page(start_after=found[-1] if found else "", limit=2)
        found += [key for key, _ in page.objects]
        if page.last:
            break
    assert found == keys


def test_nothing_lies_under_unknown_or_impossible_keys(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    for key in ("unknown", "", "k" * 1025, "\ud800"):
        assert bucket.head(key) is None
        with pytest.raises(ObjectGone):
            read(bucket, key)


def test_a_missing_bucket_is_not_an_empty_one(named_places: Places) -> None:
    bucket = named_places.bucket
    for look in (bucket.check, bucket.list_page, lambda: bucket.head("key"), lambda: read(bucket, "key")):
        with pytest.raises(BucketUnavailable):
            look()


def test_a_deleted_version_can_still_be_read_by_its_id(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    bucket.client.put_bucket_versioning(Bucket=bucket.name, VersioningConfiguration={"Status": "Enabled"})
    bucket.put("key", b"first")
    first = bucket.head("key")
    assert first is not None
    bucket.put("key", b"second")
    bucket.delete("key")
    markers = bucket.client.list_object_versions(Bucket=bucket.name)["DeleteMarkers"]
    assert bucket.head("key") is None
    assert bucket.head("key", markers[0]["VersionId"]) is None
    assert bucket.head("key", "no-such-version") is None
    assert bucket.head("key", first.version_id) == first
    assert read(bucket, "key", version_id=first.version_id) == b"first"


def test_an_overwritten_object_is_not_read_as_the_old_one(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    bucket.put("key", b"old")
    old = bucket.head("key")
    bucket.put("key", b"new")
    with pytest.raises(ObjectChanged):
        read(bucket, "key", expected=old)
    bucket.delete("key")
    with pytest.raises(ObjectGone):
        read(bucket, "key", expected=old)


def test_what_the_sink_raises_comes_through_unchanged(bucket_and_queue: Places) -> None:
    class Full:
        def write(self, data: bytes) -> None:
            raise OSError("no room")

    bucket_and_queue.bucket.put("key", b"bytes")
    with pytest.raises(OSError, match="no room"):
        bucket_and_queue.bucket.download("key", Full())


def test_a_large_file_survives_upload_in_parts_and_download_in_one_stream(
    bucket_and_queue: Places, tmp_path: Path
) -> None:
    bucket = bucket_and_queue.bucket
    path = tmp_path / "large"
    path.write_bytes(os.urandom(2**20) * 70)
    sent: list[int] = []
    bucket.upload(path, "large", on_bytes=sent.append)
    assert sum(sent) == path.stat().st_size

    class Hashing:
        def __init__(self) -> None:
            self.sha256 = hashlib.sha256()

        def write(self, data: bytes) -> None:
            self.sha256.update(data)

    sink = Hashing()
    state = bucket.download("large", sink)
    assert state.size_bytes == path.stat().st_size
    assert sink.sha256.digest() == hashlib.sha256(path.read_bytes()).digest()


def test_an_empty_object_is_downloaded(bucket_and_queue: Places) -> None:
    bucket_and_queue.bucket.put("empty", b"")
    assert read(bucket_and_queue.bucket, "empty") == b""


def test_a_signed_address_can_be_read_without_credentials(bucket_and_queue: Places) -> None:
    bucket = bucket_and_queue.bucket
    bucket.put("a b+c", b"bytes")
    with urllib.request.urlopen(bucket.signed_url("a b+c", 60), timeout=10) as answer:  # noqa: S310 - loopback
        assert answer.read() == b"bytes"


# ---------------------------------------------------------------- queue


def receive_all(places: Places) -> list[QueueMessage]:
    return places.queue.receive(wait_s=1, visibility_s=30)


def test_a_deleted_message_is_gone(bucket_and_queue: Places) -> None:
    queue = bucket_and_queue.queue
    queue.send('{"a": "é"}')
    (message,) = receive_all(bucket_and_queue)
    assert (message.body, message.receive_count) == ('{"a": "é"}', 1)
    assert queue.depths().in_flight == 1
    queue.delete([message])
    depths = queue.depths()
    assert (depths.visible, depths.in_flight, depths.dead) == (0, 0, 0)


def test_a_released_message_comes_again_at_once(bucket_and_queue: Places) -> None:
    bucket_and_queue.queue.send("again")
    bucket_and_queue.queue.release(receive_all(bucket_and_queue))
    (message,) = receive_all(bucket_and_queue)
    assert message.receive_count == 2


def test_more_messages_than_a_batch_are_deleted(bucket_and_queue: Places) -> None:
    queue = bucket_and_queue.queue
    for n in range(23):
        queue.send(str(n))
    received: dict[str, QueueMessage] = {}

    def all_received() -> bool:
        received.update({m.body: m for m in receive_all(bucket_and_queue)})
        return len(received) == 23

    wait_until(all_received)
    queue.delete(list(received.values()))
    assert queue.depths().in_flight == 0


def test_an_expired_receipt_is_no_error(bucket_and_queue: Places) -> None:
    queue = bucket_and_queue.queue
    queue.send("once")
    messages = receive_all(bucket_and_queue)
    queue.delete(messages)
    queue.delete(messages)
    queue.release(messages)


def test_a_dead_letter_carries_reason_and_body(bucket_and_queue: Places) -> None:
    queue = bucket_and_queue.queue
    queue.dead_letter("body", "no \x00 JSON", attributes={"key": "a\ud800b", "empty": ""})
    queue.dead_letter("é" * 200_000, "too large " * 1000)
    queue.dead_letter("", "")
    assert queue.depths().dead == 3
    url = queue.client.get_queue_url(QueueName=queue.dead_letter_name)["QueueUrl"]
    found: dict[int, Any] = {}

    def all_found() -> bool:
        answer = queue.client.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], WaitTimeSeconds=1
        )
        found.update({len(m["Body"]): m for m in answer.get("Messages", ())})
        return len(found) == 3

    wait_until(all_found)
    small, large = found[4], found[max(found)]
    assert small["MessageAttributes"]["reason"]["StringValue"] == "no \ufffd JSON"
    assert small["MessageAttributes"]["key"]["StringValue"] == "a\ufffdb"
    assert large["MessageAttributes"]["original_bytes"]["StringValue"] == "400000"
    assert set(large["Body"]) == {"é"}


def test_a_queue_that_is_made_again_is_found_again(named_places: Places) -> None:
    queue = named_places.queue
    with pytest.raises(QueueUnavailable, match="inspector bootstrap"):
        queue.send("lost")
    for name in (queue.name, queue.dead_letter_name):
        queue.client.create_queue(QueueName=name)
    queue.send("found")
    assert [m.body for m in receive_all(named_places)] == ["found"]
