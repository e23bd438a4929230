"""Logging in: a token for a cookie that only our own pages can use."""

from __future__ import annotations

from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from inspector.api import create_app
from inspector.api.login import COOKIE, is_own_address, session_key
from inspector.api.tokens import hash_token
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, FakeBucket, FakePages, FakeSource

READER = "insp_reader"
PAGE = {"Accept": "text/html"}


def app_with(**values: Any) -> Flask:
    source = FakeSource()
    settings = settings_for_test(
        bucket=BUCKET, data_dir=Path("data"), read_tokens=(hash_token(READER.encode()),), **values
    )
    app = create_app(settings, source, source.listener, FakeBucket(), page_source=FakePages(source))
    app.add_url_rule("/change", view_func=lambda: "changed", methods=["POST"])
    return app


@pytest.fixture
def browser() -> FlaskClient:
    return app_with().test_client()


def log_in(client: FlaskClient, token: str = READER, **request: Any) -> Any:
    return client.post("/login", data={"token": token}, headers=PAGE, **request)


def cookie_of(answer: Any) -> Any:
    return SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]


def test_a_person_is_led_to_the_login_page_and_back(browser: FlaskClient) -> None:
    led = browser.get("/status/a%20b%3F?x=1", headers=PAGE)
    assert (led.status_code, led.location) == (303, "/login?next=%2Fstatus%2Fa%2520b%253F%3Fx%3D1")
    form = browser.get(led.location, headers=PAGE).text
    assert 'name="next" value="/status/a%20b%3F?x=1"' in form
    back = browser.post("/login", data={"token": READER, "next": "/status/a%20b%3F?x=1"}, headers=PAGE)
    assert (back.status_code, back.location) == (303, "/status/a%20b%3F?x=1")


def test_a_program_is_told_what_to_send(browser: FlaskClient) -> None:
    for headers in ({}, {"Accept": "*/*"}, {"Accept": "text/html", "Sec-Fetch-Mode": "cors"}):
        assert browser.get("/", headers=headers).status_code == 401


def test_the_cookie_opens_what_its_token_opens(browser: FlaskClient) -> None:
    log_in(browser)
    assert browser.get("/status").status_code == 200
    assert browser.get("/login", headers=PAGE).location == "/"
    change = browser.post("/change", headers={"Origin": "http://localhost"})
    assert change.get_json()["type"] == "urn:inspector:problem:forbidden"


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(browser: FlaskClient) -> None:
    cookie = cookie_of(log_in(browser))
    assert cookie["httponly"]
    assert cookie["samesite"] == "Strict"
    assert cookie["path"] == "/"
    assert not cookie["secure"]
    assert READER not in cookie.value
    assert hash_token(READER.encode())[:16] not in cookie.value


@pytest.mark.parametrize(
    "how", [{"base_url": "https://localhost"}, {"headers": {"X-Forwarded-Proto": "https"}}]
)
def test_where_the_login_was_encrypted_the_cookie_never_travels_in_the_clear(
    browser: FlaskClient, how: dict[str, Any]
) -> None:
    assert cookie_of(browser.post("/login", data={"token": READER}, **how))["secure"]


def test_a_wrong_token_shows_the_form_again(browser: FlaskClient) -> None:
    refused = log_in(browser, "wrong")
    assert refused.status_code == 401
    assert "not valid" in refused.text
    assert "Set-Cookie" not in refused.headers
    assert browser.post("/login", data={"token": "wrong"}).content_type == "application/problem+json"


def test_logging_out_takes_the_cookie_away(browser: FlaskClient) -> None:
    log_in(browser)
    assert '<form method="post" action="/logout">' in browser.get("/").text
    left = browser.post("/logout", headers={"Origin": "http://localhost"})
    assert (left.status_code, left.location) == (303, "/login")
    assert browser.get("/status").status_code == 401


@pytest.mark.parametrize("headers", [{}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}])
@pytest.mark.parametrize("path", ["/change", "/logout"])
def test_a_cookie_alone_changes_nothing(browser: FlaskClient, path: str, headers: dict[str, str]) -> None:
    """Browsers say with every such request whose page made it."""
    log_in(browser)
    assert browser.post(path, headers=headers).get_json()["type"] == "urn:inspector:problem:cross-site"


def test_other_sites_cannot_log_somebody_in(browser: FlaskClient) -> None:
    foreign = {**PAGE, "Origin": "http://evil.example"}
    assert browser.post("/login", data={"token": READER}, headers=foreign).status_code == 403


def test_a_cookie_ends_with_its_token() -> None:
    shared = {"session_secret": SecretStr("x" * 16), "admin_tokens": (hash_token(b"leaving"),)}
    before = app_with(**shared).test_client()
    cookie = cookie_of(log_in(before, "leaving"))
    for values, status in [(shared, 200), ({**shared, "admin_tokens": ()}, 401)]:
        client = app_with(**values).test_client()
        client.set_cookie(COOKIE, cookie.value)
        assert client.get("/status").status_code == status


def test_a_cookie_ends_with_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    browser = app_with(session_s=60).test_client()
    cookie = cookie_of(log_in(browser))
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 2**40)
    browser.set_cookie(COOKIE, cookie.value)
    assert browser.get("/status").status_code == 401


def test_forged_cookies_are_nothing(browser: FlaskClient) -> None:
    forger = app_with(session_secret=SecretStr("another secret of mine")).test_client()
    forged = cookie_of(log_in(forger)).value
    for value in (forged, "", "x", forged[:-1]):
        browser.set_cookie(COOKIE, value)
        assert browser.get("/status").status_code == 401


def test_hashes_of_tokens_do_not_sign_cookies() -> None:
    """Whoever reads them in the settings must not be able to make a cookie."""
    one, other = (settings_for_test(read_tokens=(hash_token(name),)) for name in (b"a", b"b"))
    assert session_key(one) == session_key(other)
    assert session_key(one) != session_key(settings_for_test(token=SecretStr("x" * 16)))


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "/\\evil.example", "http://evil.example", "", "evil", "/\t/evil.example", "/\n/x"],
)
def test_nobody_is_led_elsewhere(browser: FlaskClient, address: str) -> None:
    answer = browser.post("/login", data={"token": READER, "next": address}, headers=PAGE)
    assert answer.location == "/"


@given(st.text("/\\:@ab?#%.\t\n", max_size=8).map("/".__add__))
def test_own_addresses_have_no_place_for_another_host(address: str) -> None:
    if is_own_address(address):
        assert address[1:2] not in ("/", "\\")
        assert not set("\\\t\n") & set(address)


def test_without_tokens_nobody_logs_in(client: FlaskClient) -> None:
    assert client.get("/login", headers=PAGE).location == "/"
    assert "log out" not in client.get("/").text
