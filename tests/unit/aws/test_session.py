"""Which endpoint and which credentials the clients use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.utils import parse_timestamp

from inspector.aws import Bucket, endpoint_url, make_s3, make_signer, make_sqs
from inspector.aws.bucket import MOST_SIGNED_S, SIGNED_S
from inspector.aws.session import parse_moment
from inspector.errors import ConfigError
from tests.services import settings_for_test

LOCAL = "http://127.0.0.1:4566"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"aws_endpoint_url": LOCAL}, LOCAL),
        ({"localstack_host": "stack"}, "http://stack:4566"),
        ({"localstack_host": "stack:77"}, "http://stack:77"),
        ({"aws_endpoint_url": LOCAL, "localstack_host": "stack:77"}, LOCAL),
    ],
)
def test_the_endpoint_follows_the_conventions_of_localstack(
    values: dict[str, Any], expected: str | None
) -> None:
    assert endpoint_url(settings_for_test(**values)) == expected


def test_a_host_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="LOCALSTACK_HOST"):
        endpoint_url(settings_for_test(localstack_host="stack:port"))


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot make a client for s3"):
        make_s3(settings_for_test(aws_endpoint_url="http://[broken"))


def credentials_of(client: Any) -> Any:
    return client._request_signer._credentials


def test_an_emulator_gets_dummy_credentials_where_there_are_none() -> None:
    assert credentials_of(make_sqs(settings_for_test(aws_endpoint_url=LOCAL))).access_key == "test"


def test_credentials_of_the_environment_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "mine")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert credentials_of(make_sqs(settings_for_test(aws_endpoint_url=LOCAL))).access_key == "mine"


def test_aws_itself_never_gets_dummy_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    assert credentials_of(make_sqs(settings_for_test())) is None


def test_clients_try_once_and_outlast_the_long_poll() -> None:
    client: Any = make_sqs(settings_for_test(aws_endpoint_url=LOCAL, poll_wait_s=20))
    config = client.meta.config
    assert (
        config.retries == {"total_max_attempts": 1, "mode": "legacy"}
        or config.retries["total_max_attempts"] == 1
    )
    assert config.read_timeout > 20
    assert config.connect_timeout < 20


def test_our_calls_bear_our_name() -> None:
    sent: list[bytes] = []
    client = make_s3(settings_for_test(aws_endpoint_url="http://127.0.0.1:1"))
    client.meta.events.register(
        "before-send", lambda request, **_: sent.append(request.headers["User-Agent"])
    )
    with pytest.raises(EndpointConnectionError):
        client.list_buckets()
    assert [agent.partition(b"/")[0] for agent in sent] == [b"video-inspector"]


def test_addresses_are_signed_for_the_host_that_browsers_know() -> None:
    settings = settings_for_test(aws_endpoint_url=LOCAL, s3_public_url="https://media.example.com")
    url = make_signer(settings).generate_presigned_url(
        "get_object", Params={"Bucket": "videos", "Key": "a b"}
    )
    assert url.startswith("https://media.example.com/videos/a%20b?X-Amz-Algorithm=AWS4-HMAC-SHA256")


@pytest.mark.parametrize("expires_s", [0, -1, MOST_SIGNED_S + 1])
def test_no_address_is_signed_for_long(expires_s: int) -> None:
    settings = settings_for_test(aws_endpoint_url="http://127.0.0.1:1")
    bucket = Bucket(make_s3(settings), "videos")
    assert f"X-Amz-Expires={SIGNED_S}" in bucket.signed_url("a")
    with pytest.raises(ValueError, match="signed"):
        bucket.signed_url("a", expires_s)


@pytest.mark.parametrize(
    "told",
    [
        "Thu, 01 Jan 2026 12:30:05 GMT",
        "Thu, 01 Jan 2026 12:30:05 -0000",
        "2026-01-01T12:30:05Z",
        "2026-01-01T12:30:05.000Z",
        "2026-01-01T13:30:05+01:00",
        "20260101T123005Z",
        "1767270605",
        1767270605,
        1767270605.0,
    ],
)
def test_moments_are_read_as_botocore_reads_them(told: Any) -> None:
    moment = parse_moment(told)
    assert moment == parse_timestamp(told) == datetime(2026, 1, 1, 12, 30, 5, tzinfo=UTC)


def test_what_is_no_moment_is_refused() -> None:
    with pytest.raises(ValueError, match="Invalid timestamp"):
        parse_moment("some day")
