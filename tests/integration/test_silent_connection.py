"""A connection that goes silent while it is used: what was asked fails in time, and the next one works."""

from __future__ import annotations

import asyncio
from contextlib import closing
from functools import partial

import pytest
from sqlalchemy import make_url, text

from inspector.errors import DatabaseUnavailable
from inspector.store import Database
from tests.chaos.proxy import Proxy
from tests.services import free_port


def test_a_swallowed_question_fails_in_time_and_the_next_one_is_answered(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inspector.store.database._SILENCE_S", 0.3)
    url = make_url(database_url)
    place = f"{url.query['host']}/.s.PGSQL.{url.query['port']}"
    with Proxy(free_port(), partial(asyncio.open_unix_connection, place)) as proxy:
        through = url.set(host="127.0.0.1", port=proxy.port, query={})
        with closing(Database(through.render_as_string(hide_password=False))) as db:
            with pytest.raises(DatabaseUnavailable, match="silent"):
                ask_and_ask_again(db, proxy)
            db.ping()


def ask_and_ask_again(db: Database, proxy: Proxy) -> None:
    with db.begin() as tx:
        tx.execute(text("SELECT 1"))
        proxy.swallow()
        tx.execute(text("SELECT 2"))
