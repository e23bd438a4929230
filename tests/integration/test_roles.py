"""Who may only read sees no button that changes something, on no page, and is refused all the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr

from inspector.api.tokens import hash_token
from inspector.model import State, Verdict
from inspector.store import Database
from tests.integration import rest
from tests.shelf import Shelf, empty

READER, ADMIN = "insp_reader", "a token of many characters"
PAGES = {
    "/": {"id=upload", "files"},
    "/video/a.mp4": set(),
    "/compare?a=x&b=y": set(),
    "/review": {"bulk", "decide", "subject", "/review/undo"},
    "/review?of=contained": {"bulk", "decide", "subject", "/review/undo"},
    "/review?of=common": {"decide", "/review/undo"},
    "/review?of=decided": {"number", "/review/undo"},
    "/system": {"/system/redrive"},
}
CHANGING = (
    r'name="(bulk|decide|number|subject)"',
    r'<button[^>]*formaction="([^"]+)"',
    r'method="post" action="(/system/[^"]+)"',
    r"(id=upload)\b",
    r'id="(files)"',
)


@pytest.fixture
def shelf(shared_database: Database) -> Shelf:
    """Something to do on every page."""
    empty(shared_database)
    shelf = Shelf(shared_database)
    shelf.films("a", "b", "c", "d", "clip", *(f"e{n}" for n in range(5)))
    shelf.alike("a", "b")
    shelf.match("a", "clip", Verdict.CONTAINED, span=(20, 40, 0, 20))
    for n in range(5):
        for other in range(n):
            shelf.match(f"e{n}", f"e{other}", Verdict.PARTIAL, span=(0, 10, 0, 10))
    seen = rest.Shelf(shared_database, shelf.bucket)  # with fingerprints, which a comparison draws
    seen.match("x", "y", Verdict.CONTAINED)
    for key, state in {"x": State.DONE, "y": State.DONE, "failed.mp4": State.FAILED}.items():
        seen.put(key, state)
    return shelf


@pytest.fixture
def client(shelf: Shelf, tmp_path: Path) -> FlaskClient:
    settings = rest.rest_settings(
        tmp_path,
        token=SecretStr(ADMIN),
        read_tokens=(hash_token(READER.encode()),),
        common_from=3,
        rate_limit=0,
    )
    return rest.rest_app(shelf.db, settings).test_client()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def buttons(client: FlaskClient, address: str, token: str) -> set[str]:
    """What a page offers that changes something."""
    answer = client.get(address, headers=bearer(token))
    assert answer.status_code == 200, address
    text = answer.text.replace('id="upload"', "id=upload")
    return {found for pattern in CHANGING for found in re.findall(pattern, text)}


def decide(client: FlaskClient) -> None:
    """Say of the first group that it is no match, as an admin."""
    page = client.get("/review", headers=bearer(ADMIN)).text
    found = re.search(r'name="decide" value="(g[^"]+ not_a_match)"', page)
    assert found
    assert client.post("/review", data={"decide": found[1]}, headers=bearer(ADMIN)).status_code == 200


def test_only_admins_see_what_changes_something(client: FlaskClient) -> None:
    for address in [each for each in PAGES if "decided" not in each]:
        assert buttons(client, address, ADMIN) == PAGES[address], address
        assert buttons(client, address, READER) == set(), address
    decide(client)
    assert buttons(client, "/review?of=decided", ADMIN) == PAGES["/review?of=decided"]
    assert buttons(client, "/review?of=decided", READER) == set()
    page = client.get("/", headers=bearer(READER)).text
    assert "upload.js" not in page
    assert "read only" in page


@pytest.mark.parametrize("address", ["/review", "/review/undo", "/system/redrive"])
def test_who_may_only_read_is_refused_what_they_ask_for_all_the_same(
    client: FlaskClient, address: str
) -> None:
    answer = client.post(address, headers={**bearer(READER), "Accept": "text/html"})
    assert answer.status_code == 403
    assert "Ask whoever runs this for a token that may do it" in answer.text
    assert (
        client.post(address, headers=bearer(READER)).get_json()["type"] == "urn:inspector:problem:forbidden"
    )
