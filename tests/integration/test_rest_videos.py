"""`/api/v1/videos` on the real PostgreSQL: lists that hold still, filters, one video, inspecting again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from inspector.model import State, Verdict
from inspector.store import Database, catalog
from tests.integration.rest import Shelf, rest_app, rest_settings


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database, "videos")


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return rest_app(database, rest_settings(tmp_path)).test_client()


def keys(client: FlaskClient, address: str) -> list[str]:
    answer = client.get(address)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return [video["key"] for video in answer.get_json()["videos"]]


def walk(client: FlaskClient, address: str | None, between: Any = lambda: None) -> list[str]:
    """All keys of a list, page by page; `between` happens between two pages."""
    found: list[str] = []
    while address:
        page = client.get(address).get_json()
        found += [video["key"] for video in page["videos"]]
        address = page["next"]
        between()
    return found


@pytest.mark.parametrize("sort", ["newest", "oldest", "key"])
def test_pages_hold_still_while_videos_arrive(client: FlaskClient, shelf: Shelf, sort: str) -> None:
    names = [f"{n}.mp4" for n in (3, 1, 2, 5, 4)]
    for name in names:
        shelf.put(name)
    numbers = iter(range(100))
    found = walk(
        client,
        f"/api/v1/videos?limit=2&sort={sort}",
        between=lambda: shelf.put(f"0 later {next(numbers)}.mp4"),
    )
    expected = {"newest": names[::-1], "oldest": names, "key": sorted(names)}[sort]
    assert [key for key in found if "later" not in key] == expected
    assert len(found) == len(set(found))


@pytest.mark.parametrize("few", [0, 1000])
def test_filters(client: FlaskClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, few: int) -> None:
    monkeypatch.setattr(catalog, "FEW_MATCHES", few)
    shelf.put("films/A.mp4", State.DONE)
    shelf.put("films/b.mp4", State.DONE)
    shelf.put("clips/c.mp4", State.DONE)
    shelf.put("clips/d.mp4", State.FAILED)
    shelf.put("clips/e_100%.mp4", State.REJECTED)
    shelf.put("clips/twin.mp4", State.DONE, same_as="clips/c.mp4")
    shelf.put("gone.mp4", State.DONE)
    shelf.match("films/A.mp4", "films/b.mp4", Verdict.CONTAINED)
    shelf.match("films/A.mp4", "gone.mp4", Verdict.PARTIAL)
    shelf.remove("gone.mp4")
    for query, expected in {
        "state=failed": ["clips/d.mp4"],
        "state=failed&state=rejected": ["clips/d.mp4", "clips/e_100%.mp4"],
        "contains=a.MP": ["films/A.mp4"],
        "contains=_100%25": ["clips/e_100%.mp4"],
        "contains=%25": ["clips/e_100%.mp4"],
        "prefix=films/": ["films/A.mp4", "films/b.mp4"],
        "prefix=films": ["films/A.mp4", "films/b.mp4"],
        "key=films/b.mp4": ["films/b.mp4"],
        "verdict=contained": ["films/A.mp4", "films/b.mp4"],
        "verdict=partial": [],
        "verdict=duplicate": ["clips/c.mp4", "clips/twin.mp4"],
        "verdict=none": [],
        "verdict=duplicate&verdict=contained&prefix=clips": ["clips/c.mp4", "clips/twin.mp4"],
        "since=2000-01-01T00:00:00Z&state=failed": ["clips/d.mp4"],
        "since=2200-01-01T00:00:00Z": [],
        "until=2000-01-01T00:00:00Z": [],
    }.items():
        assert keys(client, f"/api/v1/videos?sort=key&{query}") == expected, query


def test_a_video_without_any_match_has_the_verdict_none(client: FlaskClient, shelf: Shelf) -> None:
    for name in ("a", "b", "alone", "waiting"):
        shelf.put(name, State.QUEUED if name == "waiting" else State.DONE)
    shelf.match("a", "b", Verdict.PARTIAL)
    shelf.match("a", "alone", Verdict.PARTIAL, score=0.1)
    assert keys(client, "/api/v1/videos?verdict=none") == ["alone"]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=x",
        "state=pending",
        "verdict=common",
        "sort=size",
        "cursor=x",
        "cursor=WyJvbGRlc3QiLDEsImEiXQ",
        "since=yesterday",
        "unknown=1",
        "contains=%00",
    ],
)
def test_what_is_not_as_documented_is_a_problem(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/api/v1/videos?{query}")
    assert answer.status_code == 400
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["type"] == "urn:inspector:problem:bad-parameter"
    assert query.partition("=")[0] in answer.get_json()["detail"]


def test_one_video_with_its_cuts_and_matches(client: FlaskClient, shelf: Shelf) -> None:
    video_id = shelf.put("films/a b.mp4", State.DONE)
    for n in range(3):
        shelf.put(f"{n}.mp4", State.DONE)
        shelf.match("films/a b.mp4", f"{n}.mp4", Verdict.CONTAINED, score=0.9 - n / 10)
    answer = client.get(f"/api/v1/videos/{video_id}")
    video = answer.get_json()
    assert (video["key"], video["verdict"], video["total_matches"]) == ("films/a b.mp4", "contained", 3)
    assert video["links"]["status"] == "/status/films/a%20b.mp4"
    assert client.get(video["links"]["cuts"]).get_json() == {"cuts_s": [1.0, 2.5]}
    page = client.get(f"{video['links']['matches']}?limit=2").get_json()
    assert [match["video"]["key"] for match in page["matches"]] == ["0.mp4", "1.mp4"]
    rest = client.get(page["next"]).get_json()
    assert [match["score"] for match in rest["matches"]] == [0.7]
    assert rest["next"] is None
    known = client.get(f"/api/v1/videos/{video_id}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (known.status_code, known.data) == (304, b"")


def test_an_unknown_video_is_a_problem(client: FlaskClient) -> None:
    for path in ("999", "999/cuts", "999/matches", "999/source"):
        assert client.get(f"/api/v1/videos/{path}").status_code == 404
    assert client.get(f"/api/v1/videos/{2**63}").status_code == 400
    assert client.post("/api/v1/videos/999/reinspection").status_code == 404


def test_a_source_is_signed_for_browsers(database: Database, shelf: Shelf, tmp_path: Path) -> None:
    settings = rest_settings(tmp_path, s3_public_url="https://media.example")
    client = rest_app(database, settings).test_client()
    video_id = shelf.put("a b.mp4", State.DONE)
    answer = client.get(f"/api/v1/videos/{video_id}/source")
    assert answer.get_json()["url"].startswith("https://media.example/videos/a%20b.mp4?X-Amz-")
    assert "no-store" in answer.headers["Cache-Control"]
    shelf.remove("a b.mp4")
    assert client.get(f"/api/v1/videos/{video_id}/source").status_code == 409


def test_a_reinspection_repeats_the_work_for_all_videos_of_these_bytes(
    client: FlaskClient, shelf: Shelf
) -> None:
    video_id = shelf.put("a", State.DONE)
    shelf.put("twin", State.DONE, same_as="a")
    shelf.put("other", State.DONE)
    answer = client.post(f"/api/v1/videos/{video_id}/reinspection")
    assert (answer.status_code, answer.get_json()) == (202, {"requeued": 2})
    assert [shelf.state(key) for key in ("a", "twin", "other")] == [State.QUEUED, State.QUEUED, State.DONE]
    again = client.post(f"/api/v1/videos/{video_id}/reinspection")
    assert again.get_json()["type"] == "urn:inspector:problem:conflict"


def test_a_redrive_repeats_what_has_failed(client: FlaskClient, shelf: Shelf) -> None:
    failed = [shelf.put(key, State.FAILED) for key in "abc"]
    done = shelf.put("d", State.DONE)
    named = client.post("/api/v1/dead-letters/redrive", json={"video_ids": [failed[0], done]})
    assert (named.status_code, named.get_json()) == (202, {"requeued": 1})
    assert client.post("/api/v1/dead-letters/redrive", json={"video_ids": [done]}).status_code == 409
    assert client.post("/api/v1/dead-letters/redrive", json={}).get_json() == {"requeued": 2}
    assert [shelf.state(key) for key in "abcd"] == [State.QUEUED] * 3 + [State.DONE]
