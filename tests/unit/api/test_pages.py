"""The first page: everything escaped, nothing inline."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from inspector.model import DuplicateStatus, Evidence, State, Verdict
from tests.unit.api.fakes import FakeSource

HOSTILE = "<script>alert('x')</script>\"'.mp4"


def duplicate(key: str) -> DuplicateStatus:
    return DuplicateStatus(9, "videos", key, Verdict.CONTAINED, 0.9, 1.0, (), Evidence())


def test_the_page_shows_states_progress_and_verdicts(source: FakeSource, client: FlaskClient) -> None:
    source.put("films/a b.mp4", State.PROCESSING, progress=0.42, eta_s=12.4)
    source.put("b", State.DONE, duplicates=(duplicate("c"),), scene_cuts=(1.0, 2.0))
    source.put("d", State.REJECTED, reason="empty")
    text = client.get("/").text
    assert 'href="/status/films/a%20b.mp4"' in text
    assert '<progress value="0.42" max="1">' in text
    assert "42 %, 12 s left" in text
    assert "contained 90 %" in text
    assert "upload it again" in text


@pytest.mark.parametrize("path", ["/", "/videos"])
def test_nothing_from_outside_becomes_markup(source: FakeSource, client: FlaskClient, path: str) -> None:
    source.put(HOSTILE, State.FAILED, error=HOSTILE)
    source.put("b", State.DONE, duplicates=(duplicate(HOSTILE),))
    text = client.get(path).text
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text
    assert "javascript:" not in text


def test_scripts_and_styles_are_files(source: FakeSource, client: FlaskClient) -> None:
    source.put("a", State.PROCESSING, progress=0.5)
    text = client.get("/").text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
    for address in re.findall(r'(?:src|href)="(/static/[^"]+)"', text):
        assert client.get(address, buffered=True).status_code == 200


def test_the_script_asks_for_the_same_videos_as_the_page(source: FakeSource, client: FlaskClient) -> None:
    source.put("a")
    assert 'data-source="/videos?state=queued"' in client.get("/?state=queued").text
    hostile = client.get('/?state=queued&x="><script>').text
    assert 'data-source="/videos?state=queued"' in hostile


def test_an_unchanged_table_is_not_sent_twice(source: FakeSource, client: FlaskClient) -> None:
    source.put("a")
    etag = client.get("/videos").headers["ETag"]
    assert client.get("/videos", headers={"If-None-Match": etag}).status_code == 304
    source.put("a", State.DONE)
    assert client.get("/videos", headers={"If-None-Match": etag}).status_code == 200


def test_more_videos_are_a_link_away(source: FakeSource, client: FlaskClient) -> None:
    for n in range(3):
        source.put(str(n))
    assert 'href="/?limit=2&amp;before=2"' in client.get("/?limit=2").text


def test_an_empty_bucket_says_what_to_do(client: FlaskClient) -> None:
    assert "Drop a video into the bucket" in client.get("/").text
