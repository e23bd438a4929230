"""A connection that goes silent while it is used: what was asked fails in time, and the next one works."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import pytest
from sqlalchemy import make_url, text

from inspector.errors import DatabaseUnavailable
from inspector.store import Database
from inspector.store.listen import JobListener
from tests.chaos.proxy import Proxy
from tests.services import free_port


@pytest.fixture
def proxy(database_url: str) -> Iterator[Proxy]:
    url = make_url(database_url)
    place = f"{url.query['host']}/.s.PGSQL.{url.query['port']}"
    with Proxy(free_port(), partial(asyncio.open_unix_connection, place)) as proxy:
        yield proxy


@pytest.fixture
def db(database_url: str, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database behind the proxy, which is not waited for as long as usual."""
    monkeypatch.setattr("inspector.store.database._SILENCE_S", 0.3)
    url = make_url(database_url).set(host="127.0.0.1", port=proxy.port, query={})
    with closing(Database(url.render_as_string(hide_password=False))) as db:
        yield db


def test_a_swallowed_question_fails_in_time_and_the_next_one_is_answered(db: Database, proxy: Proxy) -> None:
    with pytest.raises(DatabaseUnavailable, match="silent"):
        ask_and_ask_again(db, proxy)
    db.ping()


def ask_and_ask_again(db: Database, proxy: Proxy) -> None:
    with db.begin() as tx:
        tx.execute(text("SELECT 1"))
        proxy.swallow()
        tx.execute(text("SELECT 2"))


def test_a_listener_notices_that_nobody_is_at_the_other_end(
    db: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.store.listen._ASK_EVERY_S", 0.0)
    with closing(JobListener(db)) as listener:
        assert not listener.wait(0)
        proxy.swallow()
        with pytest.raises(DatabaseUnavailable, match="silent"):
            listener.wait(0)
        assert not listener.wait(0), "it listens anew"
