"""What follows from what we knew, what lies there now, and the hint."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from inspector.model import EventKind, ObjectEvent, ObjectState, State
from inspector.store.videos import KnownVideo
from inspector.worker.ingest import Outcome, decide

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OBJECT = ObjectState(10, "etag", NOW)
KNOWN = KnownVideo(1, "a.mp4", OBJECT, "05", State.DONE)


def event(kind: EventKind, sequencer: str | None = "05") -> ObjectEvent:
    return ObjectEvent("videos", "a.mp4", kind, sequencer)


@pytest.mark.parametrize("kind", list(EventKind))
def test_what_lies_there_counts_whatever_the_hint_says(kind: EventKind) -> None:
    assert decide(None, OBJECT, event(kind)) is Outcome.QUEUED
    assert decide(KNOWN, None, event(kind)) is Outcome.REMOVED
    assert decide(KNOWN, OBJECT, event(kind)) is Outcome.UNCHANGED
    assert decide(None, None, event(kind)) is Outcome.UNCHANGED


@pytest.mark.parametrize(
    "found",
    [
        replace(OBJECT, etag="other"),
        replace(OBJECT, size_bytes=11),
        replace(OBJECT, last_modified=NOW.replace(second=1)),
    ],
)
def test_another_object_is_inspected(found: ObjectState) -> None:
    assert decide(KNOWN, found, None) is Outcome.QUEUED


def test_another_version_is_inspected_but_an_untold_one_is_not() -> None:
    known = replace(KNOWN, object=replace(OBJECT, version_id="v1"))
    assert decide(known, replace(OBJECT, version_id="v2"), None) is Outcome.QUEUED
    assert decide(known, OBJECT, None) is Outcome.UNCHANGED


def test_a_removed_video_whose_object_is_back_is_inspected() -> None:
    assert decide(replace(KNOWN, state=State.REMOVED), OBJECT, None) is Outcome.QUEUED
    assert decide(replace(KNOWN, state=State.REMOVED), None, None) is Outcome.UNCHANGED


@pytest.mark.parametrize("state", [s for s in State if s not in (State.REMOVED, State.FAILED)])
def test_a_redrive_repeats_only_what_failed(state: State) -> None:
    assert decide(replace(KNOWN, state=state), OBJECT, event(EventKind.REDRIVE)) is Outcome.UNCHANGED
    failed = replace(KNOWN, state=State.FAILED)
    assert decide(failed, OBJECT, event(EventKind.REDRIVE, None)) is Outcome.QUEUED


@pytest.mark.parametrize("state", [State.FAILED, State.REJECTED])
def test_a_newer_upload_of_the_same_bytes_repeats_a_failure_and_a_repeated_event_does_not(
    state: State,
) -> None:
    known = replace(KNOWN, state=state)
    assert decide(known, OBJECT, event(EventKind.CREATED, "06")) is Outcome.QUEUED
    assert decide(known, OBJECT, event(EventKind.CREATED, "05")) is Outcome.UNCHANGED
