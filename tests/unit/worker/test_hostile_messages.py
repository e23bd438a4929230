"""Ten thousand bodies that nobody should send: none stops the consumer, none is lost, none is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.messages import BUCKET, examples, survives

BATCH = 10
#: What stands in a queue may hold any character, a lone surrogate among them, and so may what JSON escapes.
TEXT = st.text(st.characters(), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["aws:s3", "minio:s3", "inspector:redrive", "Redrive", "ObjectCreated:Put", "s3:ObjectRemoved:Delete",
     "LifecycleExpiration:Delete", "s3:TestEvent", "Object Created", "Object Deleted", BUCKET, "2.1", "3.0",
     "", "a%00b", "%ff", "a+b"]
)  # fmt: skip
VALUE = WORDS | JSON


def fields(**known: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object whose fields may be missing, and mostly are what they should be."""
    return st.fixed_dictionaries({}, optional={name: value | VALUE for name, value in known.items()})


BUCKET_FIELD = st.just({"name": BUCKET}) | fields(name=st.just(BUCKET))
OBJECT = fields(key=TEXT, sequencer=st.text("0123456789ABCDEF"), versionId=TEXT, **{"version-id": TEXT})
RECORD = fields(
    eventVersion=st.just("2.1"),
    eventSource=WORDS,
    eventName=WORDS,
    s3=fields(bucket=BUCKET_FIELD, object=OBJECT),
)
S3 = fields(Records=st.lists(RECORD | VALUE, max_size=4), Event=WORDS)
BRIDGE = fields(**{"detail-type": WORDS, "detail": fields(bucket=BUCKET_FIELD, object=OBJECT)})
ENVELOPE = S3 | BRIDGE
SNS = fields(Message=ENVELOPE.map(json.dumps) | TEXT, Type=WORDS)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good message with a piece cut out, doubled or replaced."""
    body = draw(st.sampled_from(list(examples())))
    start = draw(st.integers(0, len(body)))
    end = draw(st.integers(start, min(len(body), start + 40)))
    return body[:start] + draw(TEXT | st.just(body[start:end] * 2)) + body[end:]


BODIES = st.one_of(TEXT, JSON.map(json.dumps), ENVELOPE.map(json.dumps), SNS.map(json.dumps), damaged())


@settings(max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.lists(BODIES, min_size=BATCH, max_size=BATCH))
@pytest.mark.timeout(300)
def test_whatever_arrives_is_ingested_or_dead_lettered_and_deleted(bodies: list[str]) -> None:
    survives(bodies)


def test_good_messages_among_them_are_understood() -> None:
    assert survives(list(examples())) == (0, 8)


@pytest.mark.parametrize(
    "body",
    [
        "[" * 200_000,
        '{"Records":' * 20_000,
        '{"Records": [' + "9" * 5000 + "]}",
        "\ud800" * 1000,
        "x" * 2**20,
        "\0" * 2**18,
        json.dumps({"Records": [{}] * 50_000}),
        json.dumps({"Message": json.dumps({"Message": json.dumps({"Message": "{}"})})}),
    ],
    ids=["deep list", "deep object", "long number", "surrogates", "long", "control", "many", "wrapped"],
)
def test_monstrous_messages_are_dead_lettered(body: str) -> None:
    assert survives([body]) == (1, 0)


def test_a_message_with_more_records_than_anybody_sends_is_dead_lettered_at_once() -> None:
    """Each record costs a request to S3, and all must fit the time for which a message is ours."""
    body = json.loads(next(examples()))
    body["Records"] *= 1001
    assert survives([json.dumps(body)]) == (1, 0)
