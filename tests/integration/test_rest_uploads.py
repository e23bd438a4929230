"""Uploads by signed addresses, on both emulators: whole, in parts, interrupted, aborted, forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from sqlalchemy import text

from inspector.model import State
from inspector.ops.bootstrap import bootstrap
from inspector.settings import RESERVED_PREFIX
from inspector.store import Database
from inspector.wiring.adapters import make_uploads
from inspector.worker.uploads import StaleUploads
from tests.integration.rest import Shelf, rest_app, rest_settings
from tests.services import Places

PART = 16 * 2**20
PAGE = "https://pages.example"


@pytest.fixture
def client(database: Database, bucket_and_queue: Places) -> FlaskClient:
    return rest_app(database, bucket_and_queue.settings).test_client()


def begin(client: FlaskClient, key: str, size_bytes: int, **more: Any) -> Any:
    answer = client.post("/api/v1/uploads", json={"key": key, "size_bytes": size_bytes, **more})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    return answer.get_json()


def send_parts(client: FlaskClient, upload: Any, data: bytes, numbers: list[int]) -> None:
    signed = client.post(upload["links"]["parts"], json={"part_numbers": numbers}).get_json()["parts"]
    for part in signed:
        start = (part["part_number"] - 1) * upload["part_bytes"]
        put(part["url"], data[start : start + upload["part_bytes"]])


def put(url: str, data: bytes, **headers: str) -> requests.Response:
    answer = requests.put(url, data=data, headers=headers, timeout=60)
    answer.raise_for_status()
    return answer


def test_a_small_video_is_put_whole(client: FlaskClient, bucket_and_queue: Places) -> None:
    upload = begin(client, "films/a b ü.mp4", 5, content_type="video/mp4")
    assert upload["parts"] is None
    put(upload["url"], b"12345", **upload["headers"])
    found = bucket_and_queue.bucket.head("films/a b ü.mp4")
    assert found is not None
    assert found.size_bytes == 5


def test_a_large_video_is_put_in_parts_and_resumed(client: FlaskClient, bucket_and_queue: Places) -> None:
    data = bytes(PART) + b"the end"
    upload = begin(client, "large.mp4", len(data), in_parts=True)["parts"]
    assert (upload["part_bytes"], upload["part_count"]) == (PART, 2)
    send_parts(client, upload, data, [2])
    state = client.get(upload["links"]["self"]).get_json()
    assert (state["arrived"], state["arrived_bytes"]) == ([2], 7)
    early = client.post(upload["links"]["completion"])
    assert (early.status_code, early.get_json()["detail"]) == (409, "1 of 2 parts are missing: 1.")
    send_parts(client, upload, data, [1])
    assert client.post(upload["links"]["completion"]).get_json() == {
        "key": "large.mp4",
        "size_bytes": len(data),
    }
    found = bucket_and_queue.bucket.head("large.mp4")
    assert found is not None
    assert found.size_bytes == len(data)
    assert client.post(upload["links"]["completion"]).status_code == 404
    assert client.get("/api/v1/uploads").get_json() == {"uploads": [], "next": None}


def test_other_bytes_than_announced_make_no_video(client: FlaskClient) -> None:
    upload = begin(client, "short.mp4", 7, in_parts=True)["parts"]
    send_parts(client, upload, b"12345", [1])
    assert "5 bytes have arrived" in client.post(upload["links"]["completion"]).get_json()["detail"]


def test_a_completion_whose_answer_was_lost_is_repeated(
    client: FlaskClient, bucket_and_queue: Places
) -> None:
    upload = begin(client, "a.mp4", 1, in_parts=True)["parts"]
    send_parts(client, upload, b"x", [1])
    s3, name = bucket_and_queue.bucket.client, bucket_and_queue.bucket.name
    (open_upload,) = s3.list_multipart_uploads(Bucket=name)["Uploads"]
    (part,) = s3.list_parts(Bucket=name, Key="a.mp4", UploadId=open_upload["UploadId"])["Parts"]
    s3.complete_multipart_upload(
        Bucket=name,
        Key="a.mp4",
        UploadId=open_upload["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert client.post(upload["links"]["completion"]).status_code == 200


def test_an_upload_aborted_elsewhere_is_a_conflict(client: FlaskClient, bucket_and_queue: Places) -> None:
    upload = begin(client, "a.mp4", 1, in_parts=True)["parts"]
    s3, name = bucket_and_queue.bucket.client, bucket_and_queue.bucket.name
    (open_upload,) = s3.list_multipart_uploads(Bucket=name)["Uploads"]
    s3.abort_multipart_upload(Bucket=name, Key="a.mp4", UploadId=open_upload["UploadId"])
    assert client.get(upload["links"]["self"]).status_code == 409
    assert client.post(upload["links"]["completion"]).status_code == 409
    assert client.get(upload["links"]["self"]).status_code == 404


def test_an_aborted_upload_leaves_nothing(client: FlaskClient, bucket_and_queue: Places) -> None:
    upload = begin(client, "a.mp4", 1, in_parts=True)["parts"]
    assert client.delete(upload["links"]["self"]).status_code == 204
    assert client.delete(upload["links"]["self"]).status_code == 404
    assert open_uploads(bucket_and_queue) == []


def test_what_nobody_goes_on_with_is_aborted_by_a_worker(
    client: FlaskClient, bucket_and_queue: Places, database: Database
) -> None:
    begin(client, "stale.mp4", 1, in_parts=True)
    with database.begin() as tx:
        tx.execute(text("UPDATE uploads SET expires_at = now() - interval '1 s'"))
    begin(client, "fresh.mp4", 1, in_parts=True)
    settings = bucket_and_queue.settings
    StaleUploads(database, make_uploads(settings), settings.bucket).run_once()
    assert open_uploads(bucket_and_queue) == ["fresh.mp4"]
    listed = client.get("/api/v1/uploads").get_json()["uploads"]
    assert [upload["key"] for upload in listed] == ["fresh.mp4"]


def open_uploads(places: Places) -> list[str]:
    found = places.bucket.client.list_multipart_uploads(Bucket=places.bucket.name)
    return [upload["Key"] for upload in found.get("Uploads", ())]


def test_browsers_of_named_pages_only_may_use_the_addresses(named_places: Places, database: Database) -> None:
    places = named_places
    for origins in ((), (PAGE,)):
        report = bootstrap(places.bucket, places.queue, visibility_s=60, cors_origins=origins, probe=None)
        assert report.ok
    client = rest_app(database, places.settings).test_client()
    upload = begin(client, "a.mp4", 1)
    answer = put(upload["url"], b"x", Origin=PAGE, **upload["headers"])
    assert answer.headers["Access-Control-Allow-Origin"] in (PAGE, "*")  # MiniStack lets any in
    assert answer.headers["Access-Control-Expose-Headers"].lower() in ("etag", "*")
    (rule,) = places.bucket.client.get_bucket_cors(Bucket=places.bucket.name)["CORSRules"]
    assert rule["AllowedOrigins"] == [PAGE]


# ---------------------------------------------------------------- what is refused; nothing is asked of S3


@pytest.fixture
def offline(database: Database, tmp_path: Path) -> FlaskClient:
    settings = rest_settings(tmp_path, key_suffixes=(".mp4",), max_size_bytes=100, key_prefix="")
    return rest_app(database, settings).test_client()


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({"key": "a.txt", "size_bytes": 1}, "bad-key"),
        ({"key": f"{RESERVED_PREFIX}a.mp4", "size_bytes": 1}, "bad-key"),
        ({"key": "\0.mp4", "size_bytes": 1}, "bad-key"),
        ({"key": "ü" * 600 + ".mp4", "size_bytes": 1}, "bad-key"),
        ({"key": "a.mp4", "size_bytes": 101}, "bad-parameter"),
        ({"key": "a.mp4", "size_bytes": -1}, "bad-parameter"),
        ({"key": "a.mp4", "size_bytes": 1, "content_type": "a\r\nb: c"}, "bad-parameter"),
        ({"key": "a.mp4", "size_bytes": 1, "typo": 1}, "bad-parameter"),
        ({"key": "\ud800.mp4", "size_bytes": 1}, "bad-parameter"),
        ({"key": ""}, "bad-parameter"),
    ],
)
def test_what_the_inspector_would_not_take_cannot_be_uploaded(
    offline: FlaskClient, body: dict[str, Any], slug: str
) -> None:
    answer = offline.post("/api/v1/uploads", json=body)
    assert (answer.status_code, answer.get_json()["type"]) == (400, f"urn:inspector:problem:{slug}")


def test_a_video_is_overwritten_only_on_demand(offline: FlaskClient, database: Database) -> None:
    Shelf(database, "videos").put("a.mp4", State.DONE)
    body = {"key": "a.mp4", "size_bytes": 1}
    assert offline.post("/api/v1/uploads", json=body).status_code == 409
    assert offline.post("/api/v1/uploads", json={**body, "overwrite": True}).status_code == 201


def test_uploads_can_be_switched_off(database: Database, tmp_path: Path) -> None:
    client = rest_app(database, rest_settings(tmp_path, uploads=False)).test_client()
    assert client.post("/api/v1/uploads", json={"key": "a.mp4", "size_bytes": 1}).status_code == 403


def test_addresses_name_the_host_that_browsers_reach_and_pages_may_go_there(
    database: Database, tmp_path: Path
) -> None:
    settings = rest_settings(tmp_path, s3_public_url="https://media.example:8443")
    client = rest_app(database, settings).test_client()
    answer = client.post("/api/v1/uploads", json={"key": "a.mp4", "size_bytes": 1})
    assert answer.get_json()["url"].startswith("https://media.example:8443/videos/a.mp4?")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ") if " " in part
    )
    for kind in ("connect-src", "img-src", "media-src"):
        assert policy[kind] == "'self' https://media.example:8443"
    assert policy["script-src"] == "'self'"
