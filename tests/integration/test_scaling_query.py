"""What KEDA asks PostgreSQL: the query of the manifest, on real tables."""

from __future__ import annotations

from sqlalchemy import text

from inspector.model import State
from inspector.store import Database
from tests.integration.test_jobs import claimed, enqueue
from tests.unit.infra.test_kubernetes import named


def test_the_scaler_counts_the_jobs_that_wait_or_are_in_work(database: Database) -> None:
    (trigger,) = named("ScaledObject", "inspector-worker")["spec"]["triggers"]
    enqueue(database, *"abcde")
    claimed(database)
    with database.begin() as tx:
        tx.execute(text("UPDATE videos SET state = :done WHERE key IN ('d', 'e')"), {"done": State.DONE})
        assert tx.scalar(text(trigger["metadata"]["query"])) == 3
