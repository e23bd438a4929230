"""Whatever arrives in the queue is either understood, or a MalformedEvent."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.errors import MalformedEvent
from inspector.events import parse_message, redrive_body
from inspector.model import EventKind, ObjectEvent

KEYS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), min_size=1, max_size=200
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def record(key: str = "a.mp4", name: str = "ObjectCreated:Put", **object_fields: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "videos"}, "object": {"key": quote_plus(key), **object_fields}},
    }


def body(*records: dict[str, Any]) -> str:
    return json.dumps({"Records": list(records)})


def nested(depth: int) -> str:
    """An SNS message in an SNS message …"""
    return json.dumps({"Message": nested(depth - 1)}) if depth else body(record())


def test_an_s3_event_names_bucket_key_kind_sequencer_and_version() -> None:
    raw = record("a b.mp4", sequencer="00655", versionId="v1", size=3)
    assert parse_message(body(raw)) == [ObjectEvent("videos", "a b.mp4", EventKind.CREATED, "00655", "v1")]


def test_an_sns_message_is_unwrapped() -> None:
    wrapped = json.dumps({"Type": "Notification", "Message": body(record())})
    assert [event.key for event in parse_message(wrapped)] == ["a.mp4"]


@pytest.mark.parametrize(
    ("detail_type", "kind"), [("Object Created", EventKind.CREATED), ("Object Deleted", EventKind.REMOVED)]
)
def test_an_event_bridge_event_has_a_plain_key(detail_type: str, kind: EventKind) -> None:
    found = {"key": "a+b%20.mp4", "sequencer": "0A", "version-id": "v2"}
    event = {"detail-type": detail_type, "detail": {"bucket": {"name": "videos"}, "object": found}}
    assert parse_message(json.dumps(event)) == [ObjectEvent("videos", "a+b%20.mp4", kind, "0A", "v2")]


@pytest.mark.parametrize(
    "name",
    [
        "ObjectRemoved:Delete",
        "ObjectRemoved:DeleteMarkerCreated",
        "LifecycleExpiration:Delete",
        "s3:ObjectRemoved:Delete",
    ],
)
def test_every_way_of_vanishing_means_removed(name: str) -> None:
    assert parse_message(body(record(name=name)))[0].kind is EventKind.REMOVED


def test_several_records_are_several_events() -> None:
    assert [event.key for event in parse_message(body(record("a"), record("b")))] == ["a", "b"]


def test_the_test_event_is_acknowledged_quietly() -> None:
    assert parse_message(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent"})) == []


def test_notifications_that_concern_no_content_are_passed_over() -> None:
    assert parse_message(body(record(name="ObjectTagging:Put"))) == []


@pytest.mark.parametrize("encoded", ["a+b", "a%20b"])
def test_a_space_is_a_space_however_it_was_encoded(encoded: str) -> None:
    raw = record()
    raw["s3"]["object"]["key"] = encoded
    assert parse_message(body(raw))[0].key == "a b"


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.3", "2.9"])
def test_every_event_version_2_is_understood(version: str) -> None:
    assert parse_message(body({**record(), "eventVersion": version}))


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", "null", "{}", '{"Records": []}', '{"Records": 5}', '{"Records": [null]}',
        body({**record(), "eventVersion": "3.0"}),
        body({**record(), "eventSource": "aws:dynamodb"}),
        body(record("")),
        body(record("x" * 1025)),
        body(record("a\x00b")),
        body({**record(), "s3": {"bucket": {"name": "videos"}, "object": {"key": "%ff%fe"}}}),
        body({**record(), "s3": {"bucket": {"name": "videos"}, "object": {"key": "\ud800"}}}),
        nested(5),
        "[" * 100_000,
    ],
)  # fmt: skip
def test_what_is_not_understood_is_malformed(text: str) -> None:
    with pytest.raises(MalformedEvent):
        parse_message(text)


def test_one_bad_record_makes_the_whole_message_malformed() -> None:
    with pytest.raises(MalformedEvent):
        parse_message(body(record(), {"eventName": "ObjectCreated:Put"}))


@given(KEYS)
def test_every_key_survives_the_encoding_of_an_event(key: str) -> None:
    assert parse_message(body(record(key)))[0].key == key


@given(KEYS, st.text(max_size=2000))
def test_a_dead_letter_of_ours_asks_for_its_key_again(key: str, reason: str) -> None:
    (event,) = parse_message(redrive_body("videos", key, reason))
    assert event == ObjectEvent("videos", key, EventKind.REDRIVE)


@given(st.text() | JSON.map(json.dumps))
def test_nothing_raises_anything_but_malformed_event(text: str) -> None:
    with suppress(MalformedEvent):
        parse_message(text)


@given(st.fixed_dictionaries({"Records": st.lists(st.fixed_dictionaries({"s3": JSON, "eventName": JSON}))}))
def test_half_right_messages_raise_nothing_else(envelope: dict[str, Any]) -> None:
    with suppress(MalformedEvent):
        parse_message(json.dumps(envelope))
