"""LISTEN: hearing of changes the moment they are committed. Always beside a poll, never instead of one."""

from __future__ import annotations

import contextlib
import selectors
import time
from typing import Any, Final, cast

import psycopg2
from psycopg2 import sql

from inspector.errors import DatabaseUnavailable
from inspector.model import Change
from inspector.store.database import Database, translated
from inspector.store.tables import CHANGES_CHANNEL, JOBS_CHANNEL

_ASK_EVERY_S: Final = 30.0


class Listener:
    """One connection that listens to one channel. For one thread; a lost connection is opened anew."""

    def __init__(self, db: Database, channel: str) -> None:
        self._db = db
        self._channel = channel
        self._connection: Any = None
        self._asked_at = 0.0

    def wait_payloads(self, timeout_s: float) -> list[str]:
        """The payloads that have arrived; blocks until there is one, or for the timeout.

        Raises DatabaseUnavailable when the connection is lost: what was notified meanwhile is lost too.
        """
        try:
            return self._receive(timeout_s)
        except (psycopg2.Error, OSError) as exc:
            self.close()
            raise DatabaseUnavailable(str(exc).strip() or "connection lost") from exc

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg2.Error):
                connection.close()

    def _receive(self, timeout_s: float) -> list[str]:
        connection = self._connected()
        if not connection.notifies:
            with selectors.DefaultSelector() as selector:
                selector.register(connection.fileno(), selectors.EVENT_READ)
                selector.select(timeout_s)
            connection.poll()
        if time.monotonic() - self._asked_at > _ASK_EVERY_S:
            self._ask(connection)
        payloads = [notice.payload for notice in connection.notifies]
        connection.notifies.clear()
        return payloads

    def _ask(self, connection: Any) -> None:
        """Make sure that somebody is at the other end: from a lost one, silence is all that is heard."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        self._asked_at = time.monotonic()

    def _connected(self) -> Any:
        if self._connection is None:
            with translated():
                pooled = self._db.engine.raw_connection()
            connection = cast(Any, pooled.driver_connection)
            pooled.detach()  # it is ours now: the pool must not hand it to anyone
            self._connection = connection
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
            self._asked_at = time.monotonic()
        return self._connection


class ChangeListener(Listener):
    """Hears which videos and contents have changed."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, CHANGES_CHANNEL)

    def wait(self, timeout_s: float) -> list[Change]:
        """The changes that have been committed; blocks until there is one, or for the timeout."""
        return [_change(payload) for payload in dict.fromkeys(self.wait_payloads(timeout_s))]


class JobListener(Listener):
    """Hears that a job may be claimed."""

    def __init__(self, db: Database) -> None:
        super().__init__(db, JOBS_CHANNEL)

    def wait(self, timeout_s: float) -> bool:
        """Whether a job was announced within the timeout."""
        return bool(self.wait_payloads(timeout_s))


def _change(payload: str) -> Change:
    kind, _, number = payload.partition(":")
    return Change("content" if kind == "content" else "video", int(number))
