"""The pages: what they show, everything escaped, nothing inline."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from inspector.api.pages.system import said_settings
from inspector.build import this_build
from inspector.configuration import settings_document
from inspector.model import (
    DuplicateStatus,
    Evidence,
    Fingerprint,
    MediaInfo,
    Segment,
    State,
    Verdict,
    WorkerStatus,
)
from inspector.settings import Settings
from inspector.store.thumbnails import Thumbnails
from tests.services import settings_for_test
from tests.unit.api.fakes import FakeBucket, FakePages, FakeSource

HOSTILE = "<script>alert('x')</script>\"'.mp4"
SHA = "ab" * 32
MEDIA = MediaInfo("mov,mp4", 12.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 1000)
INLINE = r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+="


def duplicate(key: str, **values: object) -> DuplicateStatus:
    segment = Segment(0.0, 8.0, 2.0, 10.0, 0.9)
    evidence = Evidence(3, 40, 0, weights={"frames": 20.0, "chance": -6.8})
    found = DuplicateStatus(9, "videos", key, Verdict.CONTAINED, 0.9, 1.0, (segment,), evidence)
    return replace(found, **values)  # type: ignore[arg-type]


@pytest.fixture
def pair(source: FakeSource, pages: FakePages) -> None:
    """a, a clip of b: both inspected, with pictures and fingerprints."""
    of_a: dict[str, Any] = {"media": MEDIA, "content_id": 1, "sha256": SHA, "scene_cuts": (1.0, 5.0)}
    source.put("x/a.mp4", State.DONE, duplicates=(duplicate("x/b.mp4"),), **of_a)
    source.put("x/b.mp4", State.DONE, duplicates=(duplicate("x/a.mp4"),), content_id=2, scene_cuts=(3.0, 7.0))
    pages.pictures[SHA] = Thumbnails(SHA, (0.0, 1.0, 5.0), (3, 5, 4))
    times = np.arange(0, 12, 0.5)
    seen = Fingerprint(
        12.0,
        np.array([1.0, 5.0]),
        times,
        np.arange(1, len(times) + 1, dtype=np.uint64),
        np.ones(len(times), np.float32),
        np.zeros(len(times), np.uint64),
        np.zeros(0),
        np.zeros(0, np.uint32),
        np.zeros(0, np.float32),
    )
    later = replace(seen, frame_times_s=times + 2, cuts_s=np.array([3.0, 7.0]), duration_s=14.0)
    pages.seen.update({1: seen, 2: later})


# ---------------------------------------------------------------- library


def test_the_library_shows_states_progress_and_findings(source: FakeSource, client: FlaskClient) -> None:
    source.put("films/a b.mp4", State.PROCESSING, progress=0.42, eta_s=12.4)
    source.put("b", State.DONE, duplicates=(duplicate("c"),), scene_cuts=(1.0, 2.0))
    source.put("d", State.REJECTED, reason="empty")
    text = client.get("/").text
    assert 'href="/video/films/a%20b.mp4"' in text
    assert '<progress value="0.420" max="1"' in text
    assert "42 %, 12 s left" in text
    assert 'href="/compare?a=b&amp;b=c"' in text
    assert "The file is empty" in text


def test_a_video_is_known_by_the_picture_that_shows_most(pair: None, client: FlaskClient) -> None:
    assert f'src="/pictures/{SHA}/1.jpg"' in client.get("/").text


def test_filters_and_search_are_kept_from_page_to_page(source: FakeSource, client: FlaskClient) -> None:
    for n in range(4):
        source.put(f"Film {n}.mp4")
    source.put("other.mp4")
    text = client.get("/?limit=2&state=queued&q=film").text
    assert 'href="/?q=film&amp;state=queued&amp;limit=2&amp;before=3"' in text
    assert "other.mp4" not in text
    assert 'href="/?q=film&amp;state=queued&amp;verdict=partial&amp;limit=2"' in text


def test_the_page_asks_for_itself_again(source: FakeSource, client: FlaskClient) -> None:
    source.put("a")
    assert 'data-live="soon"' in client.get("/").text
    assert 'hx-get="/?state=queued"' in client.get('/?state=queued&x="><script>').text


def test_a_page_on_which_nothing_will_change_asks_seldom(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.DONE)
    assert 'data-live="later"' in client.get("/").text


def test_an_unchanged_page_is_not_sent_twice(source: FakeSource, client: FlaskClient) -> None:
    source.put("a")
    etag = client.get("/").headers["ETag"]
    assert client.get("/", headers={"If-None-Match": etag}).status_code == 304
    source.put("a", State.PROCESSING, progress=0.5)
    assert client.get("/", headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("query", ["state=pending", "verdict=common", "limit=0", "before=x"])
def test_what_cannot_be_wanted_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/?{query}").status_code == 400


def test_an_empty_bucket_says_what_to_do(client: FlaskClient) -> None:
    assert "Drop a video into the bucket" in client.get("/").text
    assert "No video is like that" in client.get("/?q=x").text


# ---------------------------------------------------------------- video


def test_a_video_shows_what_is_in_it_and_what_it_shares(pair: None, client: FlaskClient) -> None:
    text = client.get("/video/x/a.mp4").text
    assert 'src="/play?key=x/a.mp4"' in text
    assert "640 × 360" in text
    assert 'data-cuts="[1.0, 5.0]"' in text
    assert len(re.findall(r'class="match contained"', text)) == 1
    assert 'data-seek="5.0"' in text
    assert 'href="/compare?a=x/a.mp4&amp;b=x/b.mp4"' in text


def test_a_fault_is_said_in_plain_words_with_what_to_do(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.REJECTED, reason="not_media", error="moov atom not found")
    text = client.get("/video/a").text
    assert "The file is no video." in text
    assert "check that the right file was uploaded" in text
    assert "moov atom not found" in text
    source.put("b", State.FAILED, error="ffmpeg was killed by SIGKILL", attempts=3)
    assert "All 3 attempts failed." in client.get("/video/b").text


@pytest.mark.parametrize("key", ["a/../b", ".", "a?b#c", "ü%2F"])
def test_any_key_has_a_page(source: FakeSource, client: FlaskClient, key: str) -> None:
    source.put(key)
    (address,) = re.findall(r'class="open" href="([^"]+)"', client.get("/").text)
    assert client.get(address.replace("&amp;", "&")).status_code == 200


def test_a_video_that_is_not_there_is_not_found(client: FlaskClient) -> None:
    for address in ("/video/no", "/video", "/compare?a=no&b=no", "/compare", "/play?key=no", "/play"):
        assert client.get(address).status_code == 404


# ---------------------------------------------------------------- pictures


def test_a_picture_is_cut_out_of_its_object_and_kept_by_the_browser(
    pair: None, bucket: FakeBucket, client: FlaskClient
) -> None:
    bucket.bodies[f".inspector/thumbnails/{SHA}.mjpeg"] = b"aaabbbbbcccc"
    answer = client.get(f"/pictures/{SHA}/1.jpg")
    assert (answer.data, answer.content_type) == (b"bbbbb", "image/jpeg")
    assert "immutable" in answer.headers["Cache-Control"]
    for no in (f"/pictures/{SHA}/3.jpg", f"/pictures/{'0' * 64}/0.jpg", "/pictures/x/0.jpg"):
        assert client.get(no).status_code == 404


def test_a_video_is_played_from_the_bucket(source: FakeSource, client: FlaskClient) -> None:
    source.put("a b", State.DONE)
    answer = client.get("/play?key=a%20b")
    assert (answer.status_code, answer.location) == (302, "http://127.0.0.1:4566/a%20b?signature")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "media-src 'self' http://127.0.0.1:4566;" in answer.headers["Content-Security-Policy"]


# ---------------------------------------------------------------- compare


def test_a_comparison_shows_where_two_lie_on_each_other_and_why(pair: None, client: FlaskClient) -> None:
    text = client.get("/compare?a=x/a.mp4&b=x/b.mp4").text
    assert "0:00.0 – 0:08.0" in text
    assert "0:02.0 – 0:10.0" in text
    assert '"segments": [[0.0, 8.0, 2.0, 10.0]]'.replace('"', "&#34;") in text
    assert len(re.findall(r"<polygon", text)) == 1
    assert re.search(r'<span class="number">17 of 17</span> frames agree', text)
    assert len(re.findall(r'class="joined"', text)) == 2
    assert "+20.0" in text
    assert "-6.8" in text


def test_a_comparison_without_fingerprints_or_match_says_so(
    pair: None, pages: FakePages, source: FakeSource, client: FlaskClient
) -> None:
    pages.seen.clear()
    assert "is being looked at anew" in client.get("/compare?a=x/a.mp4&b=x/b.mp4").text
    source.put("c", State.DONE)
    assert "Nothing that these two share is known" in client.get("/compare?a=x/a.mp4&b=c").text


# ---------------------------------------------------------------- system


def test_the_system_shows_workers_troubles_and_settings(
    source: FakeSource, web_settings: Settings, client: FlaskClient
) -> None:
    source.workers = (
        WorkerStatus("w1", "host", 1, "films/a.mp4", 2.0, False),
        WorkerStatus("w2", "host", 2, "", 900.0, True),
    )
    source.put("bad.mp4", State.REJECTED, reason="too_long")
    text = client.get("/system").text
    assert 'href="/video/films/a.mp4"' in text
    assert "silent for 15 min" in text
    assert "cannot reach the queue" in text
    assert "The video is too long." in text
    assert f"version {this_build()}" in text
    for name in type(web_settings).model_fields:
        assert f"INSPECTOR_{name.upper()}" in text


def test_what_failed_is_inspected_again_on_an_admins_word(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.FAILED, error="x")
    assert 'action="/system/redrive"' in client.get("/system").text
    answer = client.post("/system/redrive")
    assert (answer.status_code, answer.location) == (303, "/system")
    assert client.get("/status/a").get_json()["status"] == "queued"
    assert 'action="/system/redrive"' not in client.get("/system").text


# ---------------------------------------------------------------- all pages

PAGES = ["/", "/video/x/a.mp4", "/compare?a=x/a.mp4&b=x/b.mp4", "/system", "/login"]


@pytest.mark.parametrize("path", PAGES)
def test_scripts_and_styles_are_files(pair: None, client: FlaskClient, path: str) -> None:
    text = client.get(path, follow_redirects=True).text
    assert not re.search(INLINE, text)
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        assert client.get(address, buffered=True).status_code == 200


def test_a_page_and_all_it_needs_are_small(pair: None, client: FlaskClient) -> None:
    for path in PAGES:
        text = client.get(path, follow_redirects=True).text
        parts = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', text))
        total = len(text) + sum(len(client.get(part, buffered=True).data) for part in parts)
        assert total < 200_000, path


def test_nothing_from_outside_becomes_markup(source: FakeSource, client: FlaskClient) -> None:
    source.put(HOSTILE, State.FAILED, error=HOSTILE, attempts=1)
    source.put("b", State.DONE, duplicates=(duplicate(HOSTILE),))
    source.workers = (WorkerStatus("w", HOSTILE, 1, HOSTILE, 2.0, False),)
    hostile = "%3Cscript%3Ealert('x')%3C/script%3E%22'.mp4"
    for path in (
        "/",
        "/?q=" + hostile,
        "/video/" + hostile,
        "/video/b",
        f"/compare?a=b&b={hostile}",
        "/system",
    ):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
        assert "&lt;script&gt;alert" in answer.text
        assert not re.search(INLINE, answer.text)


def test_settings_are_shown_without_the_credentials_that_addresses_carry() -> None:
    settings = settings_for_test(aws_endpoint_url="http://ann:hunter2@127.0.0.1:4566")
    said = {name: value for name, value, *_ in said_settings(settings)}
    assert said["INSPECTOR_AWS_ENDPOINT_URL"] == "http://ann:***@127.0.0.1:4566"
    assert settings_document(settings)["aws_endpoint_url"] == "http://ann:***@127.0.0.1:4566"
    assert "hunter2" not in str(said)


@pytest.mark.parametrize(
    ("address", "status", "said", "remedy"),
    [
        ("/video/nowhere.mp4", 404, "No video has this key", "Search for it in the library."),
        ("/nowhere", 404, "Not Found", "Search for it in the library."),
        ("/?limit=x", 400, "limit must be a whole number", "Begin at the library."),
        ("/compare", 404, "name two by ?a= and ?b=", "Search for it in the library."),
    ],
)
def test_errors_are_pages_for_people_and_problems_for_programs(
    client: FlaskClient, address: str, status: int, said: str, remedy: str
) -> None:
    page = client.get(address, headers={"Accept": "text/html"})
    assert (page.status_code, page.content_type) == (status, "text/html; charset=utf-8")
    assert said in page.text
    assert remedy in page.text
    assert client.get(address).content_type == "application/problem+json"


def test_the_api_answers_a_browser_as_everybody_else(client: FlaskClient) -> None:
    for address in ("/status/nowhere.mp4", "/api/v1/nowhere"):
        answer = client.get(address, headers={"Accept": "text/html"})
        assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_page_that_cannot_be_answered_now_asks_again_by_itself(
    source: FakeSource, client: FlaskClient
) -> None:
    source.down = True
    page = client.get("/", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["Refresh"], page.headers["Retry-After"]) == (503, "5", "5")
    assert "see whether PostgreSQL runs" in page.text
