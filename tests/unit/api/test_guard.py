"""Who may ask: tokens and roles, this machine, pages of other sites, limits, headers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pydantic import SecretStr

from inspector.api import create_app
from inspector.api.guard import MAX_BODY_BYTES, names_this_machine
from inspector.api.tokens import hash_token
from inspector.errors import ConfigError
from inspector.settings import load_settings
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, FakeBucket, FakePages, FakeSource

TOKEN = "sésame, ouvre-toi"
READER, OTHER_READER, ADMIN = "insp_reader", "insp_other", "insp_admin"
PAGE = {"Accept": "text/html,*/*;q=0.8"}


def bearer(token: str) -> dict[str, str]:
    """As header bytes come in by WSGI."""
    return {"Authorization": f"Bearer {token}".encode().decode("latin-1")}


MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(source: FakeSource, bucket: FakeBucket, tmp_path: Path) -> MakeApp:
    def make(**values: Any) -> Flask:
        settings = settings_for_test(data_dir=tmp_path, bucket=BUCKET, **values)
        app = create_app(settings, source, source.listener, bucket, page_source=FakePages(source))
        app.add_url_rule("/change", view_func=lambda: "changed", methods=["POST", "DELETE"])
        return app

    return make


@pytest.fixture
def guarded(make_app: MakeApp) -> FlaskClient:
    app = make_app(
        token=SecretStr(TOKEN),
        read_tokens=(hash_token(READER.encode()), hash_token(OTHER_READER.encode())),
        admin_tokens=(hash_token(ADMIN.encode()),),
        host="0.0.0.0",  # noqa: S104
    )
    return app.test_client()


@pytest.fixture
def local(make_app: MakeApp) -> FlaskClient:
    return make_app().test_client()


# ---------------------------------------------------------------- tokens and roles


@pytest.mark.parametrize("path", ["/", "/status", "/status/a", "/metrics", "/build-info", "/x"])
def test_with_tokens_everything_but_the_public_pages_needs_one(guarded: FlaskClient, path: str) -> None:
    refused = guarded.get(path)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer")
    assert refused.get_json()["type"] == "urn:inspector:problem:unauthorized"
    for token in (TOKEN, ADMIN, READER, OTHER_READER):
        assert guarded.get(path, headers=bearer(token)).status_code in (200, 404)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/login", "/static/style.css"])
def test_public_pages_need_no_token_and_no_known_host(guarded: FlaskClient, path: str) -> None:
    assert guarded.get(path, headers={"Host": "10.0.0.7:5001"}, buffered=True).status_code == 200


@pytest.mark.parametrize(
    "given",
    ["", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", TOKEN, f"Bearer {hash_token(b'insp_admin')}"],
)
def test_a_wrong_token_is_refused(guarded: FlaskClient, given: str) -> None:
    header = given.encode().decode("latin-1")
    assert guarded.get("/status", headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH", "ODD"])
def test_what_may_change_something_needs_admin_whatever_view_it_is(guarded: FlaskClient, method: str) -> None:
    """Views that come later are safe without asking for it."""
    refused = guarded.open("/change", method=method, headers=bearer(READER))
    assert (refused.status_code, refused.get_json()["type"]) == (403, "urn:inspector:problem:forbidden")
    assert guarded.open("/change", method=method).status_code == 401
    assert guarded.open("/change", method=method, headers=bearer(ADMIN)).status_code in (200, 405)


def test_tokens_rotate_while_both_are_valid(make_app: MakeApp) -> None:
    old, new = hash_token(b"old"), hash_token(b"new")
    for valid, accepted in [((old,), {"old"}), ((old, new), {"old", "new"}), ((new,), {"new"})]:
        client = make_app(read_tokens=valid).test_client()
        statuses = {name: client.get("/status", headers=bearer(name)).status_code for name in ("old", "new")}
        assert {name for name, status in statuses.items() if status == 200} == accepted


def test_an_address_from_outside_needs_a_token() -> None:
    with pytest.raises(ConfigError, match="set INSPECTOR_TOKEN"):
        load_settings(_env_file=None, host="0.0.0.0")  # noqa: S104
    assert load_settings(_env_file=None, host="::", read_tokens="ab" * 32).has_tokens


@pytest.mark.parametrize(
    ("name", "value"), [("token", "short"), ("session_secret", "short"), ("read_tokens", "plain,text")]
)
def test_secrets_that_can_be_guessed_and_hashes_that_are_none_are_refused(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=name) as refused:
        load_settings(_env_file=None, **{name: value})
    assert value not in str(refused.value)


# ---------------------------------------------------------------- this machine


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
def test_without_a_token_this_machine_s_names_are_answered(local: FlaskClient, host: str) -> None:
    assert local.get("/status", headers={"Host": host}).status_code == 200
    assert local.get("/status", headers={"Origin": f"http://{host}"}).status_code == 200


FOREIGN = [
    "evil.example",
    "evil.example:5001",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "[::2]",
]


@pytest.mark.parametrize("host", FOREIGN)
def test_other_hosts_are_refused(local: FlaskClient, host: str) -> None:
    """A page whose name was made to resolve to 127.0.0.1 sends its own name."""
    answer = local.get("/status", headers={"Host": host})
    assert answer.status_code == 403
    assert answer.get_json()["type"] == "urn:inspector:problem:unknown-host"


@pytest.mark.parametrize(
    "origin", [f"http://{host}" for host in FOREIGN] + ["null", "", "http://[", "file://"]
)
def test_pages_of_other_origins_are_refused(local: FlaskClient, origin: str) -> None:
    answer = local.get("/status", headers={"Origin": origin})
    assert (answer.status_code, answer.get_json()["type"]) == (403, "urn:inspector:problem:cross-site")


@pytest.mark.parametrize("name", ["Forwarded", "X-Forwarded-For", "X-Real-IP"])
def test_a_proxy_on_this_machine_is_not_this_machine(local: FlaskClient, name: str) -> None:
    answer = local.get("/status", headers={name: "for=10.0.0.9"})
    assert (answer.status_code, answer.get_json()["type"]) == (403, "urn:inspector:problem:not-local")


@pytest.mark.parametrize(
    ("address", "status"), [("127.0.0.1", 200), ("::1", 200), ("10.0.0.9", 403), ("", 403)]
)
def test_callers_from_elsewhere_are_refused(local: FlaskClient, address: str, status: int) -> None:
    assert local.get("/status", environ_overrides={"REMOTE_ADDR": address}).status_code == status


@pytest.mark.parametrize("host", ["", ":5001", "[", "]", "[::1", "127.0.0.1@evil.example"])
def test_nonsense_names_no_machine(host: str) -> None:
    assert names_this_machine(host) is False


# ---------------------------------------------------------------- pages of other sites


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {},
    ],
)
def test_our_own_pages_and_programs_may_change_something(local: FlaskClient, headers: dict[str, str]) -> None:
    assert local.post("/change", headers=headers).text == "changed"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://localhost:3000"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    ],
)
def test_pages_of_other_sites_may_not(local: FlaskClient, headers: dict[str, str]) -> None:
    """Though the browser stands on this machine, and sends what it would send for us."""
    answer = local.post("/change", headers=headers)
    assert (answer.status_code, answer.get_json()["type"]) == (403, "urn:inspector:problem:cross-site")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_other_sites_may_link_to_us_but_not_read(local: FlaskClient, site: str) -> None:
    fetched = local.get("/status", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert fetched.status_code == 403
    followed = local.get("/", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"})
    assert followed.status_code == 200


# ---------------------------------------------------------------- limits


def test_large_requests_are_refused(client: FlaskClient) -> None:
    answer = client.get("/status", data=b"x" * (MAX_BODY_BYTES + 1))
    assert (answer.status_code, answer.get_json()["type"]) == (413, "urn:inspector:problem:too-large")


def until_refused(client: FlaskClient, **request: Any) -> Any:
    """The first answer that says: too many."""
    answers = (client.get("/build-info", **request) for _ in range(100))
    return next(answer for answer in answers if answer.status_code == 429)


def test_a_caller_who_asks_too_much_is_told_when_to_come_back(make_app: MakeApp) -> None:
    tokens = tuple(hash_token(name) for name in (b"a", b"b"))
    client = make_app(read_tokens=tokens, rate_limit=1).test_client()
    refused = until_refused(client, headers=bearer("a"))
    assert refused.get_json()["type"] == "urn:inspector:problem:too-many-requests"
    assert int(refused.headers["Retry-After"]) >= 1
    assert client.get("/status", headers=bearer("b")).status_code == 200, "others are not held"


def test_who_guesses_tokens_is_limited_by_address_and_locks_nobody_out(make_app: MakeApp) -> None:
    client = make_app(read_tokens=(hash_token(b"a"),), rate_limit=1).test_client()
    until_refused(client, headers=bearer("guess"))
    assert client.get("/status", headers=bearer("another guess")).status_code == 429
    assert client.post("/login", data={"token": "a"}).status_code == 429
    elsewhere = {"REMOTE_ADDR": "10.0.0.9"}
    assert client.get("/status", headers=bearer("guess"), environ_overrides=elsewhere).status_code == 401
    assert client.get("/status", headers=bearer("a")).status_code == 200


def test_this_machine_s_own_programs_are_not_limited(make_app: MakeApp) -> None:
    client = make_app(rate_limit=1).test_client()
    assert {client.get("/build-info").status_code for _ in range(20)} == {200}


def test_one_caller_cannot_take_all_streams(make_app: MakeApp, source: FakeSource) -> None:
    source.put("a")
    tokens = tuple(hash_token(name) for name in (b"a", b"b"))
    client = make_app(read_tokens=tokens, streams_per_client=2).test_client()
    headers = {name: {**bearer(name), "Accept": "text/event-stream"} for name in ("a", "b")}
    open_streams = [client.get("/status/a", headers=headers["a"]) for _ in range(2)]
    refused = client.get("/status/a", headers=headers["a"])
    assert (refused.status_code, refused.get_json()["type"]) == (
        429,
        "urn:inspector:problem:too-many-streams",
    )
    open_streams.append(client.get("/status/a", headers=headers["b"]))
    assert [stream.status_code for stream in open_streams] == [200, 200, 200]
    open_streams.pop(0).close()
    open_streams.append(client.get("/status/a", headers=headers["a"]))
    assert open_streams[-1].status_code == 200
    for stream in open_streams:
        stream.close()


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("path", ["/", "/status", "/nowhere", "/static/live.js", "/metrics", "/login"])
def test_every_answer_is_hardened(client: FlaskClient, path: str) -> None:
    headers = client.get(path, buffered=True).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert "*" not in policy


@pytest.mark.parametrize("path", ["/", "/status", "/metrics", "/nowhere"])
def test_no_cache_between_us_hands_answers_to_others(client: FlaskClient, path: str) -> None:
    assert "private" in client.get(path).headers["Cache-Control"]
