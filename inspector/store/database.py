"""The engine and its transactions; the one place where database errors become ours."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg2
from psycopg2 import extensions
from psycopg2.errors import UndefinedTable
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from inspector.errors import DatabaseBusy, DatabaseUnavailable

_STATEMENT_S: Final = 60  # the longest that a statement may take
#: A server that is silent for longer than any statement may take is gone, though the connection may stand:
#: whatever lies between us (a proxy, a load balancer) can acknowledge our bytes and lose them.
_SILENCE_S: Final = _STATEMENT_S + 15.0
_CONNECT_S: Final = 5

_SERVER_OPTIONS = " ".join(
    f"-c {option}"
    for option in (
        f"statement_timeout={_STATEMENT_S}s",
        "lock_timeout=30s",
        "idle_in_transaction_session_timeout=300s",  # longer than all attempts at S3 under a key's lock
        "TimeZone=UTC",
    )
)
_CONNECT_ARGS = {
    "connect_timeout": _CONNECT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "inspector",
    "options": _SERVER_OPTIONS,
}


#: SQLSTATEs of a server that answers, but not this time: deadlock, resources, lock and statement timeouts.
_BUSY = ("40P01", "53", "55P03", "57014")
_READ_ONLY = "25006"  # a replica, until a failover is complete
#: SQLAlchemy lets them pass where it asks the driver for more than a statement, such as an isolation level.
_DRIVERS_OWN = (psycopg2.OperationalError, psycopg2.InterfaceError)


def _wait(connection: Any) -> None:
    """Wait for the server's answer, but not for ever: libpq alone knows no such limit.

    Source: psycopg2's documentation, "Support for coroutine libraries", and its `extras.wait_select`.
    """
    connected = connection.status in (
        extensions.STATUS_READY,
        extensions.STATUS_BEGIN,
        extensions.STATUS_PREPARED,
    )
    timeout_s = _SILENCE_S if connected else _CONNECT_S
    try:
        _poll(connection, timeout_s)
    except psycopg2.OperationalError as exc:
        if connected:
            raise
        server = f"{connection.info.host}:{connection.info.port}"
        raise psycopg2.OperationalError(f"connection to server {server} failed: {exc}") from exc


def _poll(connection: Any, timeout_s: float) -> None:
    while (wanted := connection.poll()) != extensions.POLL_OK:
        poll = select.poll()
        poll.register(
            connection.fileno(), select.POLLIN if wanted == extensions.POLL_READ else select.POLLOUT
        )
        if not poll.poll(timeout_s * 1000):
            raise psycopg2.OperationalError(f"PostgreSQL has been silent for {timeout_s:g} s")


extensions.set_wait_callback(_wait)


class Database:
    """A pool of connections to one PostgreSQL. Safe to share between threads, not across a fork."""

    def __init__(self, url: str, *, pool_size: int = 5) -> None:
        self.url = url
        self.engine = create_engine(
            url,
            pool_size=pool_size,
            max_overflow=10,
            pool_timeout=10,
            pool_pre_ping=True,
            connect_args=_CONNECT_ARGS,
        )

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back by any error, closed in every case.

        Raises DatabaseUnavailable when the server cannot be reached, or gave up on us.
        """
        with translated(), Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def ping(self) -> None:
        """Raises DatabaseUnavailable if no statement can be run."""
        with translated(), self.engine.connect():  # new, or else asked by the pool whether it still stands
            pass

    def close(self) -> None:
        self.engine.dispose()


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the driver says of a lost or refused connection into DatabaseUnavailable.

    So is a database that has no tables yet: whoever waits for it goes on once they are made.
    """
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, *_DRIVERS_OWN) as exc:
        unavailable = DatabaseBusy if _sqlstate(exc).startswith(_BUSY) else DatabaseUnavailable
        raise unavailable(_first_line(exc)) from exc
    except ProgrammingError as exc:
        if isinstance(exc.orig, UndefinedTable):
            raise DatabaseUnavailable(f"{_first_line(exc)}: run `inspector bootstrap`") from exc
        raise
    except DBAPIError as exc:
        if exc.connection_invalidated or _sqlstate(exc) == _READ_ONLY:
            raise DatabaseUnavailable(_first_line(exc)) from exc
        raise


def _sqlstate(exc: Exception) -> str:
    """PostgreSQL's code of an error; empty if there was no answer."""
    return getattr(getattr(exc, "orig", None), "pgcode", None) or ""


def _first_line(exc: Exception) -> str:
    cause = getattr(exc, "orig", None) or exc
    return (str(cause).strip().splitlines() or [type(exc).__name__])[0]
