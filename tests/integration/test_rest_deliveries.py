"""`/api/v1/deliveries`: what was told, and telling it again."""

from __future__ import annotations

from pathlib import Path

from flask.testing import FlaskClient

from inspector.model import State
from inspector.store import Database
from inspector.worker.webhooks import NotDelivered
from tests.integration.rest import Shelf, rest_app, rest_settings
from tests.integration.test_outbox import Ear, make, run


def walk(client: FlaskClient, address: str | None) -> list[str]:
    found: list[str] = []
    while address:
        page = client.get(address).get_json()
        found += [delivery["target"] for delivery in page["deliveries"]]
        address = page["next"]
    return found


def test_deliveries_are_listed_and_repeated_on_demand(database: Database, tmp_path: Path) -> None:
    client = rest_app(database, rest_settings(tmp_path)).test_client()
    good, bad = Ear(), Ear()
    bad.refusal = NotDelivered("answered 410", status=410)
    box = make(database, good=good, bad=bad)
    shelf = Shelf(database, "videos")
    shelf.put("a", State.DONE)
    shelf.put("b", State.DONE)
    run(box)
    assert sorted(walk(client, "/api/v1/deliveries?limit=1")) == ["bad", "bad", "good", "good"]
    (newest, _) = client.get("/api/v1/deliveries?state=given_up&target=bad").get_json()["deliveries"]
    assert (newest["status"], newest["error"], newest["kind"]) == (410, "answered 410", "video.done")
    bad.refusal = None
    again = client.post(f"/api/v1/deliveries/{newest['id']}/redelivery")
    assert (again.status_code, again.get_json()["state"]) == (202, "pending")
    run(box)
    assert [message.event_id for message in bad.heard] == [newest["event_id"]]


def test_an_unknown_delivery_is_a_problem(database: Database, tmp_path: Path) -> None:
    client = rest_app(database, rest_settings(tmp_path)).test_client()
    assert client.post("/api/v1/deliveries/7/redelivery").status_code == 404
    assert client.get("/api/v1/deliveries?state=lost").status_code == 400
