"""Downloads are whole, or none."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from inspector.aws.bucket import Bucket
from inspector.errors import BucketUnavailable, ScratchFull
from inspector.model import ObjectState
from inspector.worker.download import Downloads
from tests.services import settings_for_test

FOUND = ObjectState(10, "etag", datetime(2026, 1, 1, tzinfo=UTC))


class Sending:
    """A bucket that sends just these bytes, whatever it has promised."""

    def __init__(self, sent: bytes) -> None:
        self._sent = sent

    def download(self, _key: str, sink: Any, **_: Any) -> None:
        sink.write(self._sent)


def downloads(sent: bytes) -> Downloads:
    return Downloads(cast(Bucket, Sending(sent)), settings_for_test())


def test_a_whole_download_is_hashed(tmp_path: Path) -> None:
    with (tmp_path / "video").open("wb") as file:
        sha256 = downloads(b"0123456789").fetch("a.mp4", FOUND, file, lambda: False)
    assert sha256 == hashlib.sha256(b"0123456789").digest()


@pytest.mark.parametrize("sent", [b"", b"012345678", b"01234567890"])
def test_other_bytes_than_promised_are_no_video_but_tried_again(tmp_path: Path, sent: bytes) -> None:
    with (tmp_path / "video").open("wb") as file, pytest.raises(BucketUnavailable, match="of 10 bytes"):
        downloads(sent).fetch("a.mp4", FOUND, file, lambda: False)


def test_a_disk_that_fills_up_at_the_last_byte_is_told() -> None:
    with (
        suppress(OSError),  # closing it finds no room either
        Path("/dev/full").open("wb") as file,
        pytest.raises(ScratchFull, match="could not be written"),
    ):
        downloads(b"0123456789").fetch("a.mp4", FOUND, file, lambda: False)
