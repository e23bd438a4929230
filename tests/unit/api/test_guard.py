"""Who may ask: tokens, hosts, sizes, and headers that harden every answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from inspector.api import create_app
from inspector.api.guard import MAX_BODY_BYTES, names_this_machine
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, FakeBucket, FakeSource

TOKEN = "sésame"
AS_SENT = TOKEN.encode().decode("latin-1")  # header bytes, as WSGI hands them over


@pytest.fixture
def guarded(source: FakeSource, bucket: FakeBucket, tmp_path: Path) -> FlaskClient:
    settings = settings_for_test(data_dir=tmp_path, bucket=BUCKET, token=SecretStr(TOKEN), host="0.0.0.0")  # noqa: S104
    return create_app(settings, source, source.listener, bucket).test_client()


@pytest.mark.parametrize(
    "path", ["/", "/status", "/status/a", "/metrics", "/build-info", "/static/style.css", "/x"]
)
def test_with_a_token_everything_but_the_probes_needs_it(guarded: FlaskClient, path: str) -> None:
    refused = guarded.get(path, buffered=True)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Basic"), "so a browser asks for the password"
    assert refused.get_json()["type"] == "urn:inspector:problem:unauthorized"
    allowed = guarded.get(path, headers={"Authorization": f"Bearer {AS_SENT}"}, buffered=True)
    assert allowed.status_code != 401
    allowed = guarded.get(path, auth=("anyone", TOKEN), buffered=True)
    assert allowed.status_code != 401
    assert guarded.get(path, auth=("anyone", "guess"), buffered=True).status_code == 401


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_probes_need_no_token_and_no_known_host(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path, headers={"Host": "10.0.0.7:5001"}).status_code == 200


@pytest.mark.parametrize(
    "given", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {'x'}", "sésame", "Bearer sesame"]
)
def test_a_wrong_token_is_refused(guarded: FlaskClient, given: str) -> None:
    header = given.encode().decode("latin-1")
    assert guarded.get("/status", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:5001",
        "LOCALHOST",
        "127.0.0.1:5001",
        "127.1.2.3",
        "[::1]:5001",
        "[::1]",
        "x.localhost",
    ],
)
def test_without_a_token_this_machine_s_names_are_answered(client: FlaskClient, host: str) -> None:
    assert client.get("/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:5001",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]",
    ],
)
def test_other_hosts_are_refused(client: FlaskClient, host: str) -> None:
    """A page whose name was made to resolve to 127.0.0.1 sends its own name."""
    answer = client.get("/status", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.get_json()["type"] == "urn:inspector:problem:unknown-host"


@pytest.mark.parametrize("host", ["", ":5001", "[", "]", "[::1", "127.0.0.1@evil.example"])
def test_nonsense_names_no_machine(host: str) -> None:
    assert names_this_machine(host) is False


def test_large_requests_are_refused(client: FlaskClient) -> None:
    answer = client.get("/status", data=b"x" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.get_json()["type"]) == (413, "urn:inspector:problem:too-large")


@pytest.mark.parametrize("path", ["/", "/status", "/nowhere", "/static/live.js", "/metrics"])
def test_every_answer_is_hardened(client: FlaskClient, path: str) -> None:
    headers = client.get(path, buffered=True).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in headers["Content-Security-Policy"]
