"""A post that is sent twice is done once: on the real PostgreSQL, over two web processes."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from inspector.model import State
from inspector.store import Database, idempotency
from inspector.store.idempotency import Answer, Claim
from tests.integration.rest import Shelf, rest_app, rest_settings

REDRIVE = "/api/v1/dead-letters/redrive"
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}


@pytest.fixture
def clients(database: Database, tmp_path: Path) -> list[FlaskClient]:
    return [rest_app(database, rest_settings(tmp_path)).test_client() for _ in range(2)]


def test_the_same_request_is_answered_alike_and_done_once(
    clients: list[FlaskClient], database: Database
) -> None:
    shelf = Shelf(database, "videos")
    shelf.put("a", State.FAILED)
    first = clients[0].post(REDRIVE, json={}, headers=KEY)
    shelf.put("b", State.FAILED)
    second = clients[1].post(REDRIVE, json={}, headers=KEY)
    assert (first.status_code, first.get_json()) == (202, {"requeued": 1})
    assert (second.status_code, second.data) == (first.status_code, first.data)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert shelf.state("b") is State.FAILED


def test_a_refusal_is_repeated_too(clients: list[FlaskClient]) -> None:
    answers = [client.post(REDRIVE, json={"video_ids": [1]}, headers=KEY) for client in clients]
    assert [answer.status_code for answer in answers] == [409, 409]
    assert answers[1].content_type == "application/problem+json"


def test_another_request_with_the_same_key_is_refused(clients: list[FlaskClient]) -> None:
    clients[0].post(REDRIVE, json={}, headers=KEY)
    for answer in (
        clients[1].post(REDRIVE, json={"video_ids": [7]}, headers=KEY),
        clients[1].post("/api/v1/videos/1/reinspection", headers=KEY),
    ):
        assert answer.status_code == 422
        assert answer.get_json()["type"] == "urn:inspector:problem:key-reused"


def test_while_the_first_is_under_way_the_second_is_asked_to_wait(database: Database) -> None:
    with database.begin() as tx:
        first = idempotency.claim(tx, "", "key", b"asked")
    with database.begin() as tx:
        assert idempotency.claim(tx, "", "key", b"asked") is None
        other = idempotency.claim(tx, "", "key", b"other")
        assert isinstance(other, Answer)
        assert other.request_hash == b"asked"
        assert isinstance(idempotency.claim(tx, "somebody else", "key", b"asked"), Claim)
    assert isinstance(first, Claim)


def test_a_request_that_died_can_be_sent_again_and_its_late_answer_is_not_kept(database: Database) -> None:
    with database.begin() as tx:
        dead = idempotency.claim(tx, "", "key", b"asked")
        assert isinstance(dead, Claim)
        tx.execute(text("UPDATE idempotency SET expires_at = now() - interval '1 second'"))
        alive = idempotency.claim(tx, "", "key", b"asked")
        assert isinstance(alive, Claim)
        idempotency.keep(tx, dead, Answer(b"asked", 200, {}, b"late"))
        assert idempotency.claim(tx, "", "key", b"asked") is None
        idempotency.keep(tx, alive, Answer(b"asked", 200, {}, b"right"))
        kept = idempotency.claim(tx, "", "key", b"asked")
        assert isinstance(kept, Answer)
        assert kept.body == b"right"


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_keys_must_be_short_and_plain(clients: list[FlaskClient], key: str) -> None:
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}
    assert clients[0].post(REDRIVE, json={}, headers=headers).status_code == 400


def test_reading_heeds_no_key(clients: list[FlaskClient]) -> None:
    for _ in range(2):
        assert clients[0].get("/api/v1/videos", headers=KEY).status_code == 200
