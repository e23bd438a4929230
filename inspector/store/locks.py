"""What only one process may do at a time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import func, select

from inspector.store.database import Database, translated

_LOOK_AGAIN_S: Final = 0.5


@contextmanager
def only_one(db: Database, name: str, *, wait_s: float = 0.0) -> Iterator[bool]:
    """Whether this is the one process that may do what is called so; for the length of the block.

    The lock belongs to a connection of its own, outside of any transaction: what is done may take its time.
    wait_s: how long to wait for another process to be done.
    """
    lock = func.hashtextextended(name, 0)
    deadline = time.monotonic() + wait_s
    with translated(), db.engine.connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT")
        while not (mine := bool(connection.scalar(select(func.pg_try_advisory_lock(lock))))):
            if time.monotonic() >= deadline:
                break
            time.sleep(_LOOK_AGAIN_S)
        try:
            yield mine
        finally:
            if mine:
                connection.scalar(select(func.pg_advisory_unlock(lock)))
