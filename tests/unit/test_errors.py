"""What errors tell to whom."""

from __future__ import annotations

import pytest

from inspector.errors import (
    BucketUnavailable,
    DatabaseBusy,
    DatabaseUnavailable,
    InspectorError,
    QueueUnavailable,
    ScratchFull,
    ToolFailed,
    told,
)


@pytest.mark.parametrize("kind", [BucketUnavailable, DatabaseUnavailable, DatabaseBusy, QueueUnavailable])
def test_what_a_service_said_is_not_passed_on(kind: type[InspectorError]) -> None:
    sentence = told(kind('connection to server at "10.0.0.5", user "inspector" failed'))
    assert "10.0.0.5" not in sentence
    assert sentence.endswith(".")


def test_what_a_library_said_is_not_passed_on() -> None:
    assert "SELECT" not in told(ValueError("[SQL: SELECT secret]"))


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            ToolFailed("ffmpeg ended with status 1: file:/srv/scratch/x1/video: Invalid data"),
            "ffmpeg ended with status 1: …: Invalid data",
        ),
        (
            ScratchFull("5 bytes are free in /srv/scratch, 9 are needed"),
            "5 bytes are free in …, 9 are needed",
        ),
        (
            ToolFailed("[mov,mp4 @ 0x5] moov atom not found, 24/25 fps"),
            "[mov,mp4 @ 0x5] moov atom not found, 24/25 fps",
        ),
    ],
)
def test_our_own_words_are_passed_on_without_paths(error: InspectorError, sentence: str) -> None:
    assert told(error) == sentence
