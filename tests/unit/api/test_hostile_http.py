"""Requests that nobody should send: never our fault, always a problem that programs can read."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from pydantic import SecretStr

from inspector.api import create_app
from inspector.api.connections import bytes_needed
from inspector.api.problems import TYPE_PREFIX
from inspector.model import State
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, FakeBucket, FakePages, FakeSource

TOKEN = "a token of many characters"

PATHS = (
    st.sampled_from([b"", b"status", b"status/", b"status/a", b"status/\0", b"videos", b"livez", b"readyz"])
    | st.sampled_from([b"metrics", b"build-info", b"login", b"logout", b"static/", b"static/../guard.py"])
    | st.text(max_size=30).map(str.encode)
    | st.binary(max_size=30)
).map(b"/".__add__)
QUERIES = st.text(st.characters(max_codepoint=255), max_size=20) | st.dictionaries(
    st.sampled_from(["key", "limit", "before", "state", "next"]),
    st.sampled_from(["1", "-1", "0", "queued", "pending", "9" * 30, "%", "a/b", "//evil", "\0"]) | st.text(),
    max_size=3,
).map(urlencode)
NAMES = """
    Accept Authorization Host Origin Cookie Content-Type Content-Length If-None-Match Last-Event-ID Range
    Sec-Fetch-Site Sec-Fetch-Mode X-Forwarded-For X-Forwarded-Proto Forwarded Transfer-Encoding
    If-Modified-Since Accept-Encoding X-HTTP-Method-Override
"""
VALUES = """
    */* text/html text/event-stream localhost http://localhost [ null inspector_session=x.y.z -1 W/ ;q=x
    application/x-www-form-urlencoded multipart/form-data multipart/form-data;boundary=x bytes=0-1 chunked
    99999999999999999999 cross-site same-origin navigate \xff\xfe
"""
HEADERS = st.dictionaries(
    st.sampled_from(NAMES.split()),
    st.sampled_from([*VALUES.split(), "Bearer x", f"Bearer {TOKEN}", "Basic eDp5", "Basic !", ""])
    | st.text(st.characters(max_codepoint=255, blacklist_characters="\r\n"), max_size=20),
    max_size=4,
)
METHODS = st.sampled_from(
    ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"]
) | st.text(string.ascii_uppercase, min_size=1, max_size=10)
BODIES = st.binary(max_size=200) | st.sampled_from([b"token=" + TOKEN.encode(), b"--x", b"x" * 70_000, b"{}"])


def make_app(**values: Any) -> Flask:
    source, bucket = FakeSource(), FakeBucket()
    source.put("a", State.DONE)
    settings = settings_for_test(bucket=BUCKET, rate_limit=0, **values)
    return create_app(settings, source, source.listener, bucket, page_source=FakePages(source))


@pytest.fixture(scope="module", params=[{}, {"token": SecretStr(TOKEN)}], ids=["local", "with tokens"])
def hostile_client(request: pytest.FixtureRequest) -> FlaskClient:
    return make_app(**request.param).test_client()


def judge(status: int, content_type: str, body: bytes) -> None:
    assert status < 500, body
    if status >= 400 and body and not content_type.startswith("text/html; charset=utf-8"):
        assert content_type == "application/problem+json"
        problem = json.loads(body)
        assert problem["status"] == status
        assert problem["type"].startswith(TYPE_PREFIX)


@examples(max_examples=500, deadline=None, suppress_health_check=list(HealthCheck))
@given(METHODS, PATHS, QUERIES, HEADERS, BODIES)
def test_no_request_is_our_fault(
    hostile_client: FlaskClient,
    method: str,
    path: bytes,
    query: str,
    headers: dict[str, str],
    body: bytes,
) -> None:
    raw = {"PATH_INFO": path.decode("latin-1"), "QUERY_STRING": query, "REQUEST_METHOD": method}
    answer = hostile_client.open("/", headers=headers, data=body, environ_overrides=raw, buffered=True)
    judge(answer.status_code, answer.content_type or "", answer.data)
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


# ---------------------------------------------------------------- how much of a request is there


def request_bytes(body: bytes, spelling: Callable[[str], str] = str) -> bytes:
    name = spelling("Content-Length")
    return f"POST /login HTTP/1.1\r\nHost: x\r\n{name}: {len(body)}\r\nX: y\r\n\r\n".encode() + body


@given(st.binary(max_size=100), st.sampled_from([str, str.lower, str.upper]), st.data())
def test_a_request_is_waited_for_until_it_is_whole(
    body: bytes, spelling: Callable[[str], str], data: st.DataObject
) -> None:
    whole = request_bytes(body, spelling)
    seen = whole[: data.draw(st.integers(0, len(whole) - 1))]
    assert len(seen) < bytes_needed(seen) <= len(whole)
    assert bytes_needed(whole) == len(whole)


@pytest.mark.parametrize("length", ["99999999", "x", "-1", "", "9" * 30])
def test_bodies_that_are_refused_anyway_are_not_waited_for(length: str) -> None:
    seen = f"POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n".encode()
    assert bytes_needed(seen) == len(seen)
