"""The page Review over a real database, without a browser: what its forms say is remembered, and undone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from inspector.model import Verdict
from inspector.store import Database
from tests.integration.rest import rest_app, rest_settings
from tests.shelf import Shelf, empty


@pytest.fixture
def shelf(shared_database: Database) -> Shelf:
    empty(shared_database)
    return Shelf(shared_database)


@pytest.fixture
def client(shelf: Shelf, tmp_path: Path) -> FlaskClient:
    return rest_app(shelf.db, rest_settings(tmp_path, common_from=3)).test_client()


def buttons(page: str) -> dict[str, tuple[str, bool]]:
    """What the buttons of the first card say, by their key: what a form sends, and whether it is in force."""
    found = re.findall(r'name="decide" value="([^"]+)" data-key="(\w)"(?: aria-pressed="(\w+)")?', page)
    return {key: (value, pressed == "true") for value, key, pressed in reversed(found)}


def test_common_material_is_there_once_and_a_button_says_how_to_treat_it(
    client: FlaskClient, shelf: Shelf
) -> None:
    episodes = [f"e{n}" for n in range(5)]
    shelf.films(*episodes)
    for n, one in enumerate(episodes):
        for other in episodes[n + 1 :]:
            shelf.match(one, other, Verdict.PARTIAL, span=(0, 10, 0, 10))
    page = client.get("/review?of=common").get_data(as_text=True)
    assert page.count("data-card") == 1
    assert "Nothing is waiting" in client.get("/review?of=partial").get_data(as_text=True)
    said = buttons(page)
    assert (said["m"][1], said["n"][1]) == (True, False)
    page = client.post("/review", data={"of": "common", "decide": said["n"][0]}).get_data(as_text=True)
    assert "Remembered: this is counted as a match." in page
    assert buttons(page)["n"][1]
    assert client.get("/review?of=partial").get_data(as_text=True).count("data-card") == 10
    outdated = client.post("/review", data={"of": "common", "decide": said["m"][0]}).get_data(as_text=True)
    assert "Nothing was saved." in outdated
    page = client.post("/review/undo", data={"of": "common"}).get_data(as_text=True)
    assert buttons(page)["m"][1]
    assert client.get("/review?of=partial").get_data(as_text=True).count("data-card") == 0


def test_a_place_in_the_list_that_is_none_is_refused(client: FlaskClient) -> None:
    for tab in ("duplicate", "partial", "common"):
        assert client.get(f"/review?of={tab}&after=nonsense").status_code == 400
