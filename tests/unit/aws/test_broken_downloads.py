"""A download whose stream breaks: whatever was written, each byte is written once and in its place."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from inspector.aws import Bucket, make_s3
from inspector.aws.remote import ATTEMPTS
from inspector.errors import BucketUnavailable
from inspector.model import ObjectState
from tests.services import settings_for_test

BODY = random.Random(1).randbytes(3_000_000)  # three pieces, as the transfer manager reads them
FOUND = ObjectState(len(BODY), "etag", datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


@contextmanager
def bucket_that_breaks_off(*after_bytes: int) -> Iterator[Bucket]:
    """A bucket of one object, whose first answers end early: after so many bytes each."""
    ends = iter(after_bytes)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("ETag", '"etag"')
            self.send_header("Content-Length", str(len(BODY)))
            self.end_headers()
            self.wfile.write(BODY[: next(ends, len(BODY))])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        client = make_s3(settings_for_test(aws_endpoint_url=f"http://127.0.0.1:{server.server_port}"))
        try:
            yield Bucket(client, "videos")
        finally:
            client.close()
            server.shutdown()
            serving.join()


class Collected:
    """A sink that remembers, and does something at each write."""

    def __init__(self, at_each: Callable[[], None] = lambda: None) -> None:
        self.data = bytearray()
        self._at_each = at_each

    def write(self, data: bytes) -> None:
        self._at_each()
        self.data += data


@pytest.mark.parametrize(
    "after_bytes", [(700_000,), (2_999_999, 10), (0, 1_048_576), (1_500_000, 1_500_000, 2_500_000)]
)
def test_a_stream_that_breaks_is_read_again_and_nothing_is_written_twice(
    after_bytes: tuple[int, ...],
) -> None:
    sink = Collected()
    with bucket_that_breaks_off(*after_bytes) as bucket:
        bucket.download("film.mp4", sink, expected=FOUND)
    assert hashlib.sha256(sink.data).digest() == hashlib.sha256(BODY).digest()


def test_a_stream_that_always_breaks_is_given_up() -> None:
    with bucket_that_breaks_off(*[500_000] * ATTEMPTS) as bucket, pytest.raises(BucketUnavailable):
        bucket.download("film.mp4", Collected(), expected=FOUND)


def test_a_sink_that_has_enough_ends_the_download_at_once() -> None:
    class Enough(Exception):
        pass

    def refuse() -> None:
        raise Enough

    with bucket_that_breaks_off() as bucket, pytest.raises(Enough):
        bucket.download("film.mp4", Collected(refuse), expected=FOUND)
