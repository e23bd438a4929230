"""Readiness, metrics and build info."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from inspector.api.app import background, create_app
from inspector.model import State, WorkerStatus
from inspector.settings import Settings
from tests.services import wait_until
from tests.unit.api.fakes import FakeBucket, FakeSource


def worker(name: str, age_s: float = 1.0, *, breaker_open: bool = False) -> WorkerStatus:
    return WorkerStatus(name, "host", 1, "idle", age_s, breaker_open)


def test_all_is_well_when_everything_answers(app: Flask, source: FakeSource, client: FlaskClient) -> None:
    source.workers = (worker("w1"),)
    background(app).start()
    try:
        wait_until(lambda: client.get("/readyz").get_json()["status"] == "ready", timeout_s=5)
    finally:
        background(app).stop()


def test_without_the_database_we_are_not_ready_but_alive(source: FakeSource, client: FlaskClient) -> None:
    source.down = True
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unready")
    detail = answer.get_json()["checks"]["database"]["detail"]
    assert "PostgreSQL" in detail
    assert "refused" not in detail, "what services say names hosts and users: it belongs into the log"
    assert client.get("/livez").status_code == 200


def test_what_others_suffer_from_is_a_warning(source: FakeSource, client: FlaskClient) -> None:
    source.workers = (worker("dead", 121.0), worker("cut-off", breaker_open=True))
    source.sweep_blocked = "12 of 20 videos would vanish"
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (200, "degraded")
    checks = answer.get_json()["checks"]
    assert {name for name, check in checks.items() if not check["ok"]} == {"queue", "sweep", "feeder"}
    assert checks["workers"]["detail"] == "1 alive, 2 known"
    assert "cut-off" in checks["queue"]["detail"]
    assert "12 of 20" in checks["sweep"]["detail"]


def test_a_crash_loop_beside_us_is_not_ready(
    web_settings: Settings, source: FakeSource, bucket: FakeBucket
) -> None:
    looping = ["worker-1"]
    app = create_app(web_settings, source, source.listener, bucket, crash_looping=lambda: looping)
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "unready")
    assert "worker-1" in answer.get_json()["checks"]["children"]["detail"]


def test_no_living_worker_is_a_warning(source: FakeSource, client: FlaskClient) -> None:
    source.workers = (worker("dead", 121.0),)
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["checks"]["workers"] == {"ok": False, "detail": "0 alive, 1 known"}


def samples(client: FlaskClient) -> dict[tuple[str, frozenset[Any]], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {(s.name, frozenset(s.labels.values())): s.value for f in families for s in f.samples}


def test_metrics_tell_of_jobs_workers_and_the_sweep(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.DONE)
    source.put("b")
    source.workers = (worker("w1", 3.0, breaker_open=True), worker("w2", 500.0))
    source.sweep_blocked = "why"
    seen = samples(client)
    none: frozenset[Any] = frozenset()
    assert seen["inspector_jobs", frozenset({"done"})] == 1
    assert seen["inspector_jobs", frozenset({"failed"})] == 0
    assert seen["inspector_oldest_queued_seconds", none] == 7.5
    assert (seen["inspector_workers_alive", none], seen["inspector_workers_lost", none]) == (1, 1)
    assert seen["inspector_worker_heartbeat_age_seconds", frozenset({"w2"})] == 500
    assert seen["inspector_queue_breaker_open", none] == 1
    assert seen["inspector_sweep_blocked", none] == 1
    assert seen["inspector_database_up", none] == 1
    assert ("process_resident_memory_bytes", none) in seen


def test_metrics_survive_the_database(source: FakeSource, client: FlaskClient) -> None:
    source.down = True
    seen = samples(client)
    assert seen["inspector_database_up", frozenset()] == 0
    assert ("inspector_jobs", frozenset({"done"})) not in seen


def test_requests_are_measured_by_pattern_never_by_key(source: FakeSource, client: FlaskClient) -> None:
    source.put("secret-name")
    client.get("/status/secret-name")
    text = client.get("/metrics").text
    assert 'route="/status/<s3key:key>",status="200"' in text
    assert "secret-name" not in text


def test_probes_and_scrapes_together_ask_the_database_once(source: FakeSource, client: FlaskClient) -> None:
    client.get("/metrics")
    asked = source.questions
    client.get("/metrics")
    client.get("/metrics")
    assert source.questions == asked


def test_build_info_says_what_runs(client: FlaskClient) -> None:
    info = client.get("/build-info").get_json()
    assert set(info) == {"name", "version", "commit", "algorithm", "python"}


@pytest.mark.parametrize("down", [False, True])
def test_strangers_learn_how_we_are_but_not_why(source: FakeSource, client: FlaskClient, down: bool) -> None:
    source.down = down
    answer = client.get("/readyz", headers={"Host": "10.0.0.7"})
    assert {frozenset(check) for check in answer.get_json()["checks"].values()} == {frozenset({"ok"})}
