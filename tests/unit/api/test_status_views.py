"""`/status`: which video a key means, and what is said of it."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from inspector.api.documents import REMEDIES
from inspector.errors import RejectReason
from inspector.model import (
    AudioInfo,
    DuplicateStatus,
    Evidence,
    MediaInfo,
    Segment,
    State,
    Verdict,
)
from tests.unit.api.fakes import MOMENT, OBJECT, FakeBucket, FakeSource

ODD_KEYS = [
    "a/b/c.mp4",
    "/leading.mp4",
    "//two.mp4",
    "a//b.mp4",
    "trailing/",
    "/",
    "//",
    "a b+c.mp4",
    "100%.mp4",
    "%2F",
    "a%2Fb",
    "quote'\"<b>&.mp4",
    "what?.mp4",
    "hash#1.mp4",
    "..",
    "../../etc/passwd",
    "a/./b",
    "\\back\\slash",
    "line\nbreak",
    "emoji 😀/日本語.mp4",
    "-dash",
    "x" * 1000,
    "status",
    "key=1",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_any_key_is_found_by_path_and_by_query(source: FakeSource, client: FlaskClient, key: str) -> None:
    source.put(key)
    source.put("another")
    for address in (f"/status/{quote(key)}", f"/status?key={quote(key)}", f"/status/{quote(key, safe='')}"):
        answer = client.get(address)
        assert (answer.status_code, answer.get_json()["key"]) == (200, key)


def test_common_material_is_counted_and_listed_when_asked_for(
    source: FakeSource, client: FlaskClient
) -> None:
    segments = (Segment(0.0, 4.0, 0.0, 4.0, 0.9),)
    partial, common = (
        DuplicateStatus(n, "videos", verdict.value, verdict, 0.9, 1.0, segments, Evidence())
        for n, verdict in enumerate((Verdict.PARTIAL, Verdict.COMMON), 8)
    )
    source.put("a", State.DONE, duplicates=(partial,), common=(common,))
    for address in ("/status/a", "/status?key=a"):
        document = client.get(address).get_json()
        assert ([d["key"] for d in document["duplicates"]], document["total_common"]) == (["partial"], 1)
    for address in ("/status/a?common=true", "/status?key=a&common=true"):
        assert [d["verdict"] for d in client.get(address).get_json()["duplicates"]] == ["partial", "common"]
    (listed,) = client.get("/status?common=true").get_json()["videos"]
    assert len(listed["duplicates"]) == 2
    assert client.get("/status?common=yes").status_code == 400


def test_the_document_says_everything_in_the_words_of_the_documentation(
    source: FakeSource, client: FlaskClient
) -> None:
    media = MediaInfo(
        "mp4", 10.0, 0.0, "h264", 0, 640, 360, 0, 29.97002997, False, 10, AudioInfo("aac", 48000, 2)
    )
    duplicate = DuplicateStatus(
        9, "videos", "b/é?.mp4", Verdict.PARTIAL, 0.87654321, 1.04, (Segment(1.0, 2.0, 3.0, 4.0, 0.9),),
        Evidence(cuts=5, frames=6, weights={"cuts": 7.1234567}),
    )  # fmt: skip
    source.put(
        "a", State.DONE, media=media, duplicates=(duplicate,), scene_cuts=(1.1234567, 2.5), attempts=1,
        size_bytes=10, sha256="ab", finished_at=MOMENT,
    )  # fmt: skip
    assert client.get("/status/a").get_json() == {
        "key": "a",
        "bucket": "videos",
        "status": "done",
        "progress": 1.0,
        "eta_s": None,
        "scene_cuts": [1.123457, 2.5],
        "total_cuts": 2,
        "duplicates": [
            {
                "key": "b/é?.mp4",
                "bucket": "videos",
                "verdict": "partial",
                "decision": None,
                "score": 0.876543,
                "speed": 1.04,
                "segments": [
                    {
                        "start_s": 1.0,
                        "end_s": 2.0,
                        "duplicate_start_s": 3.0,
                        "duplicate_end_s": 4.0,
                        "score": 0.9,
                    }
                ],
                "evidence": {
                    "cuts": 5,
                    "frames": 6,
                    "sounds": 0,
                    "absolute_cuts": 0,
                    "identical_bytes": False,
                    "identical_streams": False,
                    "weights": {"cuts": 7.123457},
                },
                "links": {"status": "/status/b/%C3%A9%3F.mp4"},
            }
        ],
        "total_common": 0,
        "media": {
            "container": "mp4",
            "duration_s": 10.0,
            "start_time_s": 0.0,
            "video_codec": "h264",
            "video_index": 0,
            "width": 640,
            "height": 360,
            "rotation_deg": 0,
            "frame_rate": 29.97003,
            "variable_frame_rate": False,
            "size_bytes": 10,
            "audio": {"codec": "aac", "sample_rate_hz": 48000, "channels": 2},
            "audio_index": None,
            "bit_rate_bps": None,
        },
        "error": None,
        "attempts": 1,
        "timestamps": {
            "created": "2026-01-02T03:04:05Z",
            "queued": None,
            "started": None,
            "finished": "2026-01-02T03:04:05Z",
            "updated": None,
        },
        "revision": 1,
        "truncated": False,
        "size_bytes": 10,
        "sha256": "ab",
        "links": {"self": "/status/a"},
    }


def test_numbers_that_json_lacks_are_null(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.PROCESSING, progress=math.nan, eta_s=math.inf)
    answer = client.get("/status/a").get_json()
    assert (answer["progress"], answer["eta_s"]) == (None, None)


@pytest.mark.parametrize("reason", list(RejectReason))
def test_every_rejection_comes_with_a_remedy(
    source: FakeSource, client: FlaskClient, reason: RejectReason
) -> None:
    source.put("a", State.REJECTED, reason=reason.value, error="ffprobe said so")
    error = client.get("/status/a").get_json()["error"]
    assert error == {"reason": reason.value, "detail": "ffprobe said so", "remedy": REMEDIES[reason]}


def test_a_failed_and_a_retried_job_say_what_went_wrong(source: FakeSource, client: FlaskClient) -> None:
    source.put("failed", State.FAILED, error="killed")
    source.put("waiting", State.QUEUED, error="killed")
    failed = client.get("/status/failed").get_json()["error"]
    waiting = client.get("/status/waiting").get_json()["error"]
    assert (failed["reason"], failed["detail"]) == ("attempt_failed", "killed")
    assert "redrive" in failed["remedy"]
    assert waiting == {"reason": "attempt_failed", "detail": "killed"}


# ---------------------------------------------------------------- which video


def test_an_exact_key_wins_over_a_name(source: FakeSource, client: FlaskClient) -> None:
    source.put("clip.mp4")
    source.put("newer/clip.mp4")
    assert client.get("/status/clip.mp4").get_json()["key"] == "clip.mp4"


def test_an_object_of_exactly_this_key_wins_over_a_name(
    source: FakeSource, bucket: FakeBucket, client: FlaskClient
) -> None:
    source.put("newer/clip.mp4")
    bucket.objects["clip.mp4"] = OBJECT
    answer = client.get("/status/clip.mp4").get_json()
    assert (answer["key"], answer["status"]) == ("clip.mp4", "pending")


def test_a_bare_name_finds_the_newest_video_of_that_name(source: FakeSource, client: FlaskClient) -> None:
    source.put("old/clip.mp4")
    source.put("new/clip.mp4")
    assert client.get("/status/clip.mp4").get_json()["key"] == "new/clip.mp4"
    assert client.get("/status/elsewhere/clip.mp4").status_code == 404


def test_an_object_not_yet_seen_is_pending(bucket: FakeBucket, client: FlaskClient) -> None:
    bucket.objects["a"] = OBJECT
    answer = client.get("/status/a")
    assert (answer.status_code, answer.get_json()["status"], answer.get_json()["size_bytes"]) == (
        200, "pending", 10,
    )  # fmt: skip


def test_a_removed_video_is_removed_and_one_that_is_back_is_pending(
    source: FakeSource, bucket: FakeBucket, client: FlaskClient
) -> None:
    source.put("a", State.REMOVED)
    assert client.get("/status/a").get_json()["status"] == "removed"
    bucket.down = True
    assert client.get("/status/a").get_json()["status"] == "removed"
    bucket.down = False
    bucket.objects["a"] = OBJECT
    assert client.get("/status/a").get_json()["status"] == "pending"


@pytest.mark.parametrize("key", [".inspector/probe", "a%00b", "x" * 1025, "nowhere"])
def test_what_can_be_no_video_is_not_found(bucket: FakeBucket, client: FlaskClient, key: str) -> None:
    bucket.objects[".inspector/probe"] = OBJECT
    answer = client.get(f"/status/{key}")
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
    assert answer.get_json()["type"] == "urn:inspector:problem:not-found"


@pytest.mark.parametrize("part", ["source", "bucket"])
def test_who_cannot_be_asked_is_said_instead_of_404(
    request: pytest.FixtureRequest, client: FlaskClient, part: str
) -> None:
    request.getfixturevalue(part).down = True
    answer = client.get("/status/a")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    slug = {"source": "database-unavailable", "bucket": "bucket-unavailable"}[part]
    assert answer.get_json()["type"] == f"urn:inspector:problem:{slug}"


# ---------------------------------------------------------------- HTTP


def test_an_unchanged_status_is_not_sent_twice(source: FakeSource, client: FlaskClient) -> None:
    source.put("a")
    first = client.get("/status/a")
    assert first.headers["ETag"].startswith('W/"')
    again = client.get("/status/a", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    source.put("a", State.DONE)
    assert client.get("/status/a", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


@pytest.mark.parametrize("accept", ["*/*", "text/html,*/*;q=0.8", "application/json", "image/png", ""])
def test_everyone_but_an_event_source_gets_json(source: FakeSource, client: FlaskClient, accept: str) -> None:
    source.put("a", State.DONE)
    assert client.get("/status/a", headers={"Accept": accept}).content_type == "application/json"


def test_pages_lead_from_the_newest_to_the_oldest(source: FakeSource, client: FlaskClient) -> None:
    for n in range(5):
        source.put(str(n), State.DONE if n % 2 else State.QUEUED)
    seen, address = [], "/status?limit=2"
    while address:
        answer = client.get(address)
        document: dict[str, Any] = answer.get_json()
        seen += [video["key"] for video in document["videos"]]
        address = document["next"]
        assert (f'<{address}>; rel="next"' == answer.headers.get("Link")) is bool(address)
    assert seen == ["4", "3", "2", "1", "0"]


def test_a_page_of_one_state_leads_to_more_of_it(source: FakeSource, client: FlaskClient) -> None:
    for n in range(6):
        source.put(str(n), State.DONE if n % 2 else State.QUEUED)
    first = client.get("/status?state=done&limit=2").get_json()
    second = client.get(first["next"]).get_json()
    assert [v["key"] for v in first["videos"] + second["videos"]] == ["5", "3", "1"]
    assert second["next"] is None


@pytest.mark.parametrize("address", ["/status", "/status/"])
def test_no_key_means_all_videos(source: FakeSource, client: FlaskClient, address: str) -> None:
    source.put("a")
    assert [v["key"] for v in client.get(address).get_json()["videos"]] == ["a"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=201", "limit=x", "limit=%C2%B2", "before=-1", "before=" + "9" * 30, "state=pending"],
)
def test_parameters_that_make_no_sense_are_explained(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/status?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["type"] == "urn:inspector:problem:bad-parameter"
    assert query.partition("=")[0] in answer.get_json()["detail"]


def test_flask_s_own_errors_are_problems_too(client: FlaskClient) -> None:
    nowhere, method = client.get("/nowhere?x=1"), client.post("/status/a")
    assert nowhere.get_json()["type"] == "urn:inspector:problem:not-found"
    assert nowhere.get_json()["instance"] == "/nowhere?x=1"
    assert (method.status_code, method.get_json()["type"]) == (
        405,
        "urn:inspector:problem:method-not-allowed",
    )
    assert "GET" in method.headers["Allow"]
    assert {nowhere.content_type, method.content_type} == {"application/problem+json"}


@pytest.mark.expects_error_log
def test_a_surprise_is_a_problem_that_tells_no_secrets(app: Flask, source: FakeSource) -> None:
    source.by_key = lambda *_: 1 / 0  # type: ignore[method-assign,assignment]
    answer = app.test_client().get("/status/a")
    assert answer.status_code == 500
    assert answer.get_json()["type"] == "urn:inspector:problem:internal-server-error"
    assert b"division" not in answer.data
