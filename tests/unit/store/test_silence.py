"""A server that takes our bytes and never answers is an outage, not a place to wait for ever."""

from __future__ import annotations

import socket
from contextlib import closing

import psycopg2
import pytest

from inspector.errors import DatabaseUnavailable
from inspector.store import Database
from inspector.store.database import translated


def test_a_server_that_says_nothing_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inspector.store.database._CONNECT_S", 0.1)
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql+psycopg2://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        with closing(Database(url)) as db, pytest.raises(DatabaseUnavailable, match="silent for"):
            db.ping()


@pytest.mark.parametrize("error", [psycopg2.OperationalError, psycopg2.InterfaceError])
def test_a_connection_that_is_lost_outside_of_a_statement_is_an_outage_too(error: type[Exception]) -> None:
    with pytest.raises(DatabaseUnavailable, match="closed"), translated():
        raise error("server closed the connection unexpectedly\n\tThis probably means …")
