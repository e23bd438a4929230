"""A worker on Amazon ECS asks for protection while a job is in work; only the agent is a stand-in."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inspector import failpoints
from inspector.model import ObjectState
from inspector.store import Database, videos
from inspector.wiring.programs import make_worker
from inspector.worker import protection
from tests.services import Endpoint, places_at
from tests.unit.worker.test_protection import PROTECTED, Agent, agent

__all__ = ["agent"]


@pytest.fixture
def signals_as_before() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    failpoints.install(None)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("signals_as_before")
def test_a_worker_asks_as_soon_as_a_job_has_been_in_work_for_long_enough(
    agent: Agent,
    ministack: Endpoint,
    database: Database,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protection, "PROTECT_AFTER_S", 0.0)
    monkeypatch.setattr(protection, "LOOK_EVERY_S", 0.02)
    places = places_at(
        ministack,
        tmp_path,
        poll_wait_s=0,
        ecs_agent_uri=agent.uri,
        database_url=database_url,
        shutdown_grace_s=2,
    )
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    places.queue.client.create_queue(QueueName=places.queue.name)
    found = ObjectState(1, "etag", datetime.now(UTC))
    with database.begin() as tx:
        videos.enqueue(tx, places.bucket.name, "a.mp4", found, sequencer=None)

    def work_until_protected(step: str) -> None:
        if step == "claimed":
            assert agent.heard.wait(20)
            os.kill(os.getpid(), signal.SIGTERM)

    failpoints.install(work_until_protected)
    assert make_worker(places.settings).run() == 0
    assert agent.states[0] == PROTECTED
