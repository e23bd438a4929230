"""`/api/v1`: groups, pairs, what is common, decisions with their revision, and what is done to objects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from inspector.model import Verdict
from inspector.store import Database
from tests.integration.rest import rest_app, rest_settings
from tests.integration.test_review_actions import Stockroom
from tests.services import Endpoint, places_at
from tests.shelf import Shelf, empty

API = "/api/v1"


@pytest.fixture
def database(shared_database: Database) -> Database:
    empty(shared_database)
    return shared_database


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


@pytest.fixture
def client(database: Database, tmp_path: Path) -> FlaskClient:
    return rest_app(database, rest_settings(tmp_path, common_from=3)).test_client()


def get(client: FlaskClient, address: str) -> Any:
    answer = client.get(f"{API}{address}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def decide(client: FlaskClient, *decisions: dict[str, Any]) -> Any:
    answer = client.post(f"{API}/decisions", json={"decisions": decisions})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()["outcomes"]


def judged(group: dict[str, Any], kind: str = "duplicate", **more: Any) -> dict[str, Any]:
    """What a reviewer says of a group as it was shown to them."""
    return {"subject": group["id"], "revision": group["revision"], "kind": kind, **more}


# ---------------------------------------------------------------- looking


def test_groups_come_the_surest_first_page_by_page_decided_or_not(client: FlaskClient, shelf: Shelf) -> None:
    for n, score in enumerate((0.7, 0.95, 0.8)):
        shelf.films(f"a{n}", f"b{n}")
        shelf.alike(f"a{n}", f"b{n}", score=score)
    first = get(client, "/groups?decided=false&limit=2")
    assert [group["score"] for group in first["groups"]] == [0.95, 0.8]
    second = client.get(first["next"]).get_json()
    assert ([group["score"] for group in second["groups"]], second["next"]) == ([0.7], None)
    decide(client, judged(first["groups"][0], keep="a1.mp4"))
    assert [group["score"] for group in get(client, "/groups?decided=false")["groups"]] == [0.8, 0.7]
    (decided,) = get(client, "/groups?decided=true")["groups"]
    assert decided["decided"]
    everything = get(client, "/groups")
    assert (len(everything["groups"]), everything["total"], everything["total_decided"]) == (3, 3, 1)


def test_a_group_tells_whom_to_keep_what_matches_directly_and_what_only_hangs_on(
    client: FlaskClient, shelf: Shelf
) -> None:
    shelf.films("a", "b", "chained", "clip")
    shelf.put("large.mp4", "large", height=1080)
    shelf.alike("a", "b", "large")
    shelf.match("b", "chained", score=0.8)
    shelf.match("a", "clip", Verdict.CONTAINED, score=0.7, span=(20, 40, 0, 20))
    group = get(client, get(client, "/groups")["groups"][0]["links"]["self"].removeprefix(API))
    assert (group["keep"]["key"], group["keep"]["reason"]) == ("large.mp4", "1920×1080 against 640×360")
    copies = [copy for member in group["members"] for copy in member["videos"]]
    assert {copy["key"]: copy["against"] for copy in copies} == {
        "a.mp4": "1920×1080 against 640×360",
        "b.mp4": "1920×1080 against 640×360",
        "large.mp4": None,
    }
    assert len(group["pairs"]) == 3
    relations = {
        frozenset(each[side]["videos"][0]["key"] for side in ("a", "b")): each for each in group["relations"]
    }
    assert {names: each["verdict"] for names, each in relations.items()} == {
        frozenset({"b.mp4", "chained.mp4"}): "duplicate",
        frozenset({"a.mp4", "clip.mp4"}): "contained",
    }
    pair = get(client, relations[frozenset({"a.mp4", "clip.mp4"})]["links"]["self"].removeprefix(API))
    (segment,) = pair["segments"]
    assert {segment["start_s"], segment["other_start_s"]} == {20.0, 0.0}
    of_video = get(client, f"/videos/{copies[0]['id']}/groups")["groups"]
    assert group["id"] in [each["id"] for each in of_video]


def test_pairs_of_a_verdict_are_a_list_of_their_own(client: FlaskClient, shelf: Shelf) -> None:
    shelf.films("a", "clip1", "clip2")
    shelf.match("a", "clip1", Verdict.CONTAINED, score=0.8)
    shelf.match("a", "clip2", Verdict.CONTAINED, score=0.9)
    first = get(client, "/pairs?verdict=contained&limit=1")
    assert [pair["score"] for pair in first["pairs"]] == [0.9]
    decide(client, judged(first["pairs"][0], "not_a_match"))
    assert [pair["score"] for pair in get(client, "/pairs?verdict=contained&decided=false")["pairs"]] == [0.8]
    (decided,) = get(client, "/pairs?verdict=contained&decided=true")["pairs"]
    assert decided["decision"] == "not_a_match"
    assert client.get(f"{API}/pairs").status_code == 400
    crossed = client.get(first["next"].replace("contained", "partial"))
    assert (crossed.status_code, crossed.get_json()["type"]) == (400, "urn:inspector:problem:bad-parameter")


def test_common_material_is_listed_once_and_can_be_ruled_on(client: FlaskClient, shelf: Shelf) -> None:
    episodes = [f"e{n}" for n in range(5)]
    shelf.films(*episodes)
    for n, one in enumerate(episodes):
        for other in episodes[n + 1 :]:
            shelf.match(one, other, Verdict.PARTIAL, span=(0, 10, 0, 10))
    (stretch,) = get(client, "/common")["stretches"]
    assert (stretch["start_s"], stretch["end_s"], stretch["ruling"]) == (0.0, 10.0, None)
    assert stretch["shared_by"] >= 3
    (outcome,) = decide(client, judged(stretch, "not_common"))
    assert get(client, "/common")["stretches"][0]["ruling"] == "not_common"
    assert len(get(client, "/pairs?verdict=partial")["pairs"]) == 10
    undone = client.post(f"{API}/decisions/undo", json={"ids": [outcome["decision"]]})
    assert undone.status_code == 201
    assert get(client, "/common")["stretches"][0]["ruling"] is None
    assert get(client, "/pairs?verdict=partial")["pairs"] == []


@pytest.mark.parametrize("address", ["/groups/g999", "/pairs/p1-2", "/videos/999/groups"])
def test_what_is_not_there_is_not_found(client: FlaskClient, address: str) -> None:
    answer = client.get(f"{API}{address}")
    assert (answer.status_code, answer.get_json()["type"]) == (404, "urn:inspector:problem:not-found")


# ---------------------------------------------------------------- deciding


def test_many_are_decided_at_once_or_none_and_taken_back(client: FlaskClient, shelf: Shelf) -> None:
    for n in range(3):
        shelf.films(f"a{n}", f"b{n}")
        shelf.alike(f"a{n}", f"b{n}")
    groups = get(client, "/groups")["groups"]
    wrong = {"subject": "g999", "kind": "duplicate"}
    refused = client.post(f"{API}/decisions", json={"decisions": [judged(groups[0]), wrong]})
    assert refused.status_code == 404
    assert [bool(outcome["error"]) for outcome in refused.get_json()["outcomes"]] == [False, True]
    assert get(client, "/decisions")["decisions"] == []
    outcomes = decide(client, *(judged(group, note="bulk") for group in groups))
    ids = [outcome["decision"] for outcome in outcomes]
    first = get(client, "/decisions?limit=2")
    assert [made["id"] for made in first["decisions"]] == ids[:0:-1]
    assert {(made["note"], made["by"]) for made in first["decisions"]} == {("bulk", "this machine")}
    assert [made["id"] for made in client.get(first["next"]).get_json()["decisions"]] == ids[:1]
    assert client.post(f"{API}/decisions/undo", json={"ids": ids}).status_code == 201
    assert get(client, "/groups?decided=true")["groups"] == []
    again = client.post(f"{API}/decisions/undo", json={"ids": ids[:1]})
    assert (again.status_code, again.get_json()["type"]) == (409, "urn:inspector:problem:refused")


def test_a_decision_on_what_has_changed_says_what_has_changed(client: FlaskClient, shelf: Shelf) -> None:
    shelf.films("a", "b", "c")
    shelf.alike("a", "b")
    (shown,) = get(client, "/groups")["groups"]
    shelf.alike("a", "b", "c")
    answer = client.post(f"{API}/decisions", json={"decisions": [judged(shown, keep="a.mp4")]})
    problem = answer.get_json()
    assert answer.status_code == 409
    assert answer.content_type == "application/problem+json"
    assert problem["type"] == "urn:inspector:problem:outdated"
    (outcome,) = problem["outcomes"]
    assert (outcome["subject"], outcome["changes"]) == (shown["id"], ["joined: c.mp4"])
    assert get(client, "/decisions")["decisions"] == []


def test_a_decision_that_is_sent_twice_is_made_once(client: FlaskClient, shelf: Shelf) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b")
    (group,) = get(client, "/groups")["groups"]
    body = {"decisions": [judged(group, keep="a.mp4")]}
    first, second = (
        client.post(f"{API}/decisions", json=body, headers={"Idempotency-Key": "once"}) for _ in range(2)
    )
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.get_json() == first.get_json()
    assert second.headers["Idempotency-Replayed"] == "true"
    (made,) = get(client, "/decisions")["decisions"]
    assert (made["made_on"], made["entries"][0]["keep"]) == (group["revision"], "a.mp4")


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"kind": "not_common"}, 409),
        ({"kind": "same_source", "keep": "a.mp4"}, 409),
        ({"kind": "duplicate", "keep": "elsewhere.mp4"}, 409),
        ({"kind": "undo"}, 400),
        ({"kind": "duplicate", "keeps": "a.mp4"}, 400),
        ({"kind": "duplicate", "subject": "g1@2"}, 400),
    ],
)
def test_what_makes_no_sense_is_refused(
    client: FlaskClient, shelf: Shelf, said: dict[str, Any], status: int
) -> None:
    shelf.films("a", "b")
    shelf.alike("a", "b")
    (group,) = get(client, "/groups")["groups"]
    answer = client.post(f"{API}/decisions", json={"decisions": [{"subject": group["id"], **said}]})
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"


# ---------------------------------------------------------------- acting


@pytest.fixture
def room(ministack: Endpoint, database: Database, tmp_path: Path) -> tuple[Stockroom, FlaskClient]:
    """A bucket with two copies of each of two videos, and the API over it."""
    places = places_at(ministack, tmp_path)
    places.bucket.client.create_bucket(Bucket=places.bucket.name)
    room = Stockroom(places, database)
    for film in ("a", "b"):
        room.duplicates(f"{film}.mp4", f"copy/{film}.mp4")
    return room, rest_app(database, places.settings).test_client()


def act(client: FlaskClient, **body: Any) -> Any:
    answer = client.post(f"{API}/actions", json=body)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def test_nothing_is_done_to_objects_unless_one_says_so_and_all_is_undone(
    room: tuple[Stockroom, FlaskClient],
) -> None:
    stock, client = room
    before = stock.keys()
    plan = act(client, kind="move", prefix="trash/")
    assert [(step["key"], step["target"], step["action"]) for step in plan["steps"]] == [
        ("copy/a.mp4", "trash/copy/a.mp4", None),
        ("copy/b.mp4", "trash/copy/b.mp4", None),
    ]
    assert (plan["carried_out"], plan["undoable"], plan["total"], plan["after"]) == (False, True, 2, None)
    assert (stock.keys(), get(client, "/actions")["actions"]) == (before, [])
    done = act(client, kind="move", prefix="trash/", carry_out=True)
    assert [(step["action"]["state"], step["error"]) for step in done["steps"]] == [("done", None)] * 2
    assert stock.keys() == ["a.mp4", "b.mp4", "trash/copy/a.mp4", "trash/copy/b.mp4"]
    made = get(client, "/actions")["actions"]
    assert [each["key"] for each in made] == ["copy/b.mp4", "copy/a.mp4"]
    undone = client.post(f"{API}/actions/undo", json={"ids": [each["id"] for each in made]}).get_json()
    assert [result["error"] for result in undone["results"]] == [None, None]
    assert stock.keys() == before
    assert client.post(f"{API}/actions/resume").get_json() == {"results": []}


def test_actions_go_page_by_page_and_by_chosen_decisions(room: tuple[Stockroom, FlaskClient]) -> None:
    stock, client = room
    first = act(client, kind="tag", carry_out=True, limit=1)
    assert ([step["key"] for step in first["steps"]], first["total"]) == (["copy/a.mp4"], 2)
    assert stock.s3.tags("copy/b.mp4") == {}
    second = act(client, kind="tag", carry_out=True, limit=1, after=first["after"])
    assert ([step["key"] for step in second["steps"]], second["after"]) == (["copy/b.mp4"], None)
    newest = get(client, "/decisions")["decisions"][0]
    chosen = act(client, kind="tag", decisions=[newest["id"]])
    assert [step["kept"] for step in chosen["steps"]] == [newest["entries"][0]["keep"]]


def test_what_would_be_gone_for_good_is_refused_and_what_has_changed_is_left(
    room: tuple[Stockroom, FlaskClient],
) -> None:
    stock, client = room
    answer = client.post(f"{API}/actions", json={"kind": "delete", "carry_out": True})
    assert (answer.status_code, answer.get_json()["type"]) == (409, "urn:inspector:problem:refused")
    assert "enable versioning" in answer.get_json()["detail"]
    assert not act(client, kind="delete")["undoable"]
    stock.s3.put("copy/a.mp4", b"something else")
    done = act(client, kind="delete", carry_out=True, force=True)
    assert [bool(step["error"]) for step in done["steps"]] == [True, False]
    assert stock.keys() == ["a.mp4", "b.mp4", "copy/a.mp4"]
    nowhere = client.post(f"{API}/actions", json={"kind": "move", "prefix": ".inspector/"})
    assert nowhere.status_code == 409
    assert client.post(f"{API}/actions/undo", json={"ids": ["a999"]}).status_code == 404
