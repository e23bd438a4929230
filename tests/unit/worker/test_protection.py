"""Protection from scale-in: what the agent of ECS is asked, when, and what its refusal costs."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from structlog.testing import capture_logs

from inspector.model import Lease, ObjectState
from inspector.store import Database
from inspector.worker.heartbeat import Heartbeat
from inspector.worker.protection import EXPIRES_MIN, LOOK_EVERY_S, PROTECT_AFTER_S, RENEW_AFTER_S, Protection
from tests.services import settings_for_test

PROTECTED = {"ProtectionEnabled": True, "ExpiresInMinutes": EXPIRES_MIN}
UNPROTECTED = {"ProtectionEnabled": False}


class Agent:
    """Stands in for the agent: remembers what it was asked, and answers as it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.heard = threading.Event()
        self.answer: tuple[int, dict[str, Any]] = (200, {"protection": {}})
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                agent.asked.append((self.path, json.loads(body)))
                agent.heard.set()
                status, said = agent.answer
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.uri = f"http://127.0.0.1:{self.server.server_port}/api/task-1"

    @property
    def states(self) -> list[Any]:
        return [body for _, body in self.asked]


@pytest.fixture
def agent() -> Iterator[Agent]:
    agent = Agent()
    thread = threading.Thread(target=agent.server.serve_forever, args=(0.01,))
    thread.start()
    yield agent
    agent.server.shutdown()
    thread.join()
    agent.server.server_close()


class Work:
    """A clock, and a job that began at some time, or none."""

    def __init__(self, agent: Agent) -> None:
        self.now = 1000.0
        self.began: float | None = None
        self.protection = Protection(agent.uri, self.age_s, clock=lambda: self.now)

    def age_s(self) -> float | None:
        return None if self.began is None else self.now - self.began

    def look(self) -> None:
        assert self.protection.run_once() == LOOK_EVERY_S

    def work_for(self, seconds: float) -> None:
        self.began = self.began or self.now
        self.now += seconds
        self.look()


def test_a_task_is_protected_while_a_long_job_is_in_work(agent: Agent) -> None:
    work = Work(agent)
    work.look()
    work.work_for(PROTECT_AFTER_S)
    work.work_for(LOOK_EVERY_S)
    work.began = None
    work.look()
    work.look()
    assert agent.asked == [
        ("/api/task-1/task-protection/v1/state", PROTECTED),
        ("/api/task-1/task-protection/v1/state", UNPROTECTED),
    ]


def test_short_jobs_ask_for_nothing(agent: Agent) -> None:
    work = Work(agent)
    for _ in range(5):
        work.began = None
        work.work_for(PROTECT_AFTER_S - 1)
    assert agent.asked == []


def test_between_two_long_jobs_there_is_a_gap_in_which_a_deployment_may_go_on(agent: Agent) -> None:
    work = Work(agent)
    for _ in range(2):
        work.began = work.now
        work.work_for(1)
        work.work_for(PROTECT_AFTER_S)
    assert agent.states == [PROTECTED, UNPROTECTED, PROTECTED]


def test_protection_is_renewed_before_it_expires(agent: Agent) -> None:
    assert RENEW_AFTER_S < EXPIRES_MIN * 60
    work = Work(agent)
    work.work_for(PROTECT_AFTER_S)
    work.work_for(RENEW_AFTER_S - 1)
    assert agent.states == [PROTECTED]
    work.work_for(1)
    assert agent.states == [PROTECTED, PROTECTED]


@pytest.mark.parametrize(
    "answer",
    [(400, {"error": {"Code": "AccessDeniedException"}}), (200, {"failure": {"Reason": "TASK_NOT_VALID"}})],
)
def test_a_refusal_is_logged_and_asked_again(agent: Agent, answer: tuple[int, dict[str, Any]]) -> None:
    work = Work(agent)
    agent.answer = answer
    with capture_logs() as logs:
        work.work_for(PROTECT_AFTER_S)
    assert [entry["event"] for entry in logs] == ["task_protection_refused"]
    agent.answer = (200, {"protection": {}})
    work.work_for(LOOK_EVERY_S)
    work.work_for(LOOK_EVERY_S)
    assert agent.states == [PROTECTED, PROTECTED]


def test_an_agent_that_is_not_there_ends_nothing() -> None:
    with capture_logs() as logs:
        Protection("http://127.0.0.1:9/api/x", lambda: PROTECT_AFTER_S).run_once()
    assert [entry["event"] for entry in logs] == ["task_protection_refused"]


def test_the_age_of_a_job_is_counted_while_its_lease_is_kept() -> None:
    now = [5.0]
    settings = settings_for_test()
    heart = Heartbeat(
        Database("postgresql+psycopg2://nobody@127.0.0.1:9/none"),
        settings,
        stop=threading.Event(),
        clock=lambda: now[0],
    )
    lease = Lease(1, "token", "videos", "a.mp4", ObjectState(1, "etag", datetime.now(UTC)), 1, 3)
    assert heart.job_age_s() is None
    with heart.keep(lease):
        now[0] += 7
        assert heart.job_age_s() == 7
    assert heart.job_age_s() is None
