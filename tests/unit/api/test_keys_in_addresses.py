"""Every key survives the way into an address and back."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import EnvironBuilder

from inspector.api.keys import accept_keys, key_address, key_from_path, key_from_query, storable
from inspector.api.problems import Problem

keys = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
odd_keys = st.lists(
    st.sampled_from(
        ["/", "//", "..", ".", "%2F", "%", "+", " ", "?", "#", "&", "=", "é", "😀", "\n", '"', "a"]
    ),
    min_size=1,
).map("".join)


def routed() -> Flask:
    """An application that only says which key it was asked for."""
    app = Flask(__name__, static_folder=None)
    accept_keys(app.url_map)

    def one(key: str) -> Any:
        return {"key": key}

    def many() -> Any:
        from flask import request

        return {"key": key_from_query(request.query_string)}

    app.add_url_rule("/status/<s3key:key>", view_func=one)
    app.add_url_rule("/status", view_func=many)
    return app


CLIENT = routed().test_client()


@given(keys | odd_keys)
def test_a_key_comes_back_from_its_address(key: str) -> None:
    answer = CLIENT.get(key_address(key))
    assert answer.get_json() == {"key": key}


@given(keys | odd_keys)
def test_a_key_comes_back_from_a_raw_path(key: str) -> None:
    path_info = ("/status/" + key).encode().decode("latin-1")  # as WSGI hands it over
    assert key_from_path(path_info, "/status/") == key
    assert key_from_path("//" + path_info, "/status/") == key


@given(keys | odd_keys)
def test_a_key_comes_back_from_a_query_string(key: str) -> None:
    query = EnvironBuilder(query_string={"limit": "3", "key": key}).query_string
    assert key_from_query(query.encode()) == key


@given(keys | odd_keys)
def test_addresses_hold_nothing_that_clients_rewrite(key: str) -> None:
    path = key_address(key).partition("?")[0]
    assert path.isascii()
    assert not {".", ".."} & set(path.split("/"))
    assert not set(path) & set(' #\\"<>\n\r\t')


@pytest.mark.parametrize("query", [b"key=%FF", b"key=a%C3", b"key=%ED%A0%80", b"key=", b"key"])
def test_a_query_that_holds_no_key_is_refused(query: bytes) -> None:
    with pytest.raises(Problem):
        key_from_query(query)


def test_a_path_that_is_no_utf8_is_refused() -> None:
    with pytest.raises(Problem):
        key_from_path("/status/\xff", "/status/")


@pytest.mark.parametrize(
    ("key", "possible"),
    [("a", True), ("é" * 512, True), ("é" * 513, False), ("a\0b", False), ("", False), ("/", True)],
)
def test_impossible_keys_are_recognised(key: str, possible: bool) -> None:
    assert storable(key) is possible
