"""`/api/v1/system`: what works, what waits, what went wrong, and by which settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from inspector.model import State
from inspector.settings import Settings
from inspector.store import Database, workers
from tests.integration.rest import Shelf, rest_app, rest_settings
from tests.services import Endpoint, places_at

TOKEN = "a token of many characters"


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return rest_app(database, rest_settings(tmp_path)).test_client()


def test_the_whole_at_a_glance(database: Database, ministack: Endpoint, tmp_path: Path) -> None:
    places = places_at(ministack, tmp_path)
    for name in (places.queue.name, places.queue.dead_letter_name):
        places.queue.client.create_queue(QueueName=name)
    places.queue.dead_letter("{}", "malformed")
    shelf = Shelf(database, places.bucket.name)
    shelf.put("a", State.DONE)
    shelf.put("b", State.FAILED)
    shelf.put("c")
    with database.begin() as tx:
        workers.beat(tx, "w1", host="h", pid=7, doing="c", breaker_open=False)
    system = rest_app(database, places.settings).test_client().get("/api/v1/system").get_json()
    assert {state: count for state, count in system["jobs"].items() if count} == {
        "done": 1,
        "failed": 1,
        "queued": 1,
    }
    assert system["queue"] == {"waiting": 0, "in_flight": 0, "dead": 1, "error": None}
    (worker,) = system["workers"]
    assert (worker["id"], worker["doing"], worker["alive"]) == ("w1", "c", True)
    assert (system["throughput"]["done"], system["throughput"]["failed"]) == (1, 1)
    assert system["throughput"]["median_s"] >= 0


def test_a_queue_that_cannot_be_asked_hides_nothing_else(client: FlaskClient) -> None:
    answer = client.get("/api/v1/system")
    assert answer.status_code == 200
    assert answer.get_json()["queue"]["dead"] is None
    assert answer.get_json()["queue"]["error"] == "SQS cannot be reached, or did not answer."


def test_recent_errors_say_what_can_be_done(client: FlaskClient, database: Database) -> None:
    shelf = Shelf(database, "videos")
    shelf.put("fine", State.DONE)
    shelf.put("broken", State.FAILED)
    shelf.put("text.txt", State.REJECTED)
    errors = client.get("/api/v1/system/errors").get_json()["errors"]
    assert [error["video"]["key"] for error in errors] == ["text.txt", "broken"]
    assert errors[0]["error"]["reason"] == "not_media"
    assert errors[0]["error"]["remedy"]


def test_settings_are_shown_without_secrets(database: Database, tmp_path: Path) -> None:
    settings = rest_settings(
        tmp_path,
        token=SecretStr(TOKEN),
        session_secret=SecretStr("another secret text"),
        read_tokens=("0" * 64,),
        database_url=SecretStr("postgresql://user:password@host/name"),
        key_suffixes=(".mp4",),
        aws_endpoint_url="http://user:password@127.0.0.1:9",
    )
    client = rest_app(database, settings).test_client()
    answer = client.get("/api/v1/system/settings", headers={"Authorization": f"Bearer {TOKEN}"})
    shown = answer.get_json()["settings"]
    assert set(shown) == set(Settings.model_fields)
    assert (shown["bucket"], shown["key_suffixes"], shown["token"]) == ("videos", [".mp4"], "***")
    for secret in (TOKEN, "another secret", "0" * 64, "password"):
        assert secret not in answer.get_data(as_text=True)
