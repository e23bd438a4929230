"""Migrations: one way up, from any number of processes at once, to exactly the declared tables."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from inspector.store import Database, migrate
from inspector.store.migrate import is_migrated
from inspector.store.tables import Base


def test_several_processes_may_migrate_at_once_and_one_does_it(empty_database_url: str) -> None:
    def run(_: int) -> bool:
        with closing(Database(empty_database_url)) as db:
            return migrate(db)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(run, range(4))) == [False, False, False, True]


def test_the_migrated_tables_are_the_declared_ones(database: Database) -> None:
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert is_migrated(database)


def test_an_empty_database_is_known_to_be_unmigrated(empty_database_url: str) -> None:
    with closing(Database(empty_database_url)) as db:
        assert not is_migrated(db)
