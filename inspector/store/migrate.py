"""Bringing a database up to the present tables, safely when several processes start at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text

from inspector.store.database import Database, translated

if (
    TYPE_CHECKING
):  # every program imports this room, and hardly one migrates: alembic is imported when it is due
    from alembic.config import Config

_FOLDER: Final = Path(__file__).parent / "migrations"
_LOCK: Final = 7205759403792793  # an arbitrary number that only migrations lock


def migrate(db: Database) -> bool:
    """Apply the migrations that are missing. Returns whether there were any.

    Raises DatabaseUnavailable. Every migration runs in one transaction, so a crash leaves the old state.
    """
    from alembic import command

    config = _config()
    with translated(), db.engine.begin() as connection:
        for timeout in ("statement_timeout", "lock_timeout"):  # an index on a large table takes its time
            connection.execute(text(f"SET LOCAL {timeout} = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        before = _heads(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return before != _heads(connection)


def is_migrated(db: Database) -> bool:
    """Whether the database has exactly the tables that this version expects."""
    from alembic.script import ScriptDirectory

    expected = set(ScriptDirectory.from_config(_config()).get_heads())
    with translated(), db.engine.connect() as connection:
        return set(_heads(connection)) == expected


def _heads(connection: Connection) -> tuple[str, ...]:
    from alembic.runtime.migration import MigrationContext

    return MigrationContext.configure(connection).get_current_heads()


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("path_separator", "os")
    return config
