"""Which errors of AWS are repeated, and what they become."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from inspector.aws.remote import ATTEMPTS, remote
from inspector.errors import BucketUnavailable, ObjectGone, QueueUnavailable


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def refused(code: str, status: int) -> ClientError:
    answer = {"Error": {"Code": code, "Message": "why"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(answer, "GetThing")  # type: ignore[arg-type]


def failing(*errors: Exception) -> tuple[Callable[[], str], list[int]]:
    """A remote function that raises one error after the other, then succeeds; and the calls it saw."""
    calls: list[int] = []

    @remote(QueueUnavailable)
    def call() -> str:
        calls.append(len(calls))
        if len(calls) <= len(errors):
            raise errors[len(calls) - 1]
        return "answer"

    return call, calls


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="http://x"),
        ReadTimeoutError(endpoint_url="http://x"),
        refused("InternalError", 500),
        refused("SlowDown", 503),
        refused("RequestThrottled", 400),
    ],
)
def test_what_may_pass_is_tried_again(error: Exception) -> None:
    call, calls = failing(error, error)
    assert call() == "answer"
    assert len(calls) == 3


@pytest.mark.parametrize(
    "error",
    [
        refused("AccessDenied", 403),
        refused("NoSuchBucket", 404),
        ParamValidationError(report="bad"),
        NoCredentialsError(),
    ],
)
def test_what_will_not_pass_is_reported_at_once(error: Exception) -> None:
    call, calls = failing(error)
    with pytest.raises(QueueUnavailable) as caught:
        call()
    assert caught.value.__cause__ is error
    assert len(calls) == 1


def test_attempts_are_bounded() -> None:
    call, calls = failing(*[refused("InternalError", 500)] * 99)
    with pytest.raises(QueueUnavailable, match=r"GetThing was refused: InternalError \(why\)"):
        call()
    assert len(calls) == ATTEMPTS


def test_missing_credentials_are_said_in_plain_words() -> None:
    call, _ = failing(NoCredentialsError())
    with pytest.raises(QueueUnavailable, match="AWS_ACCESS_KEY_ID"):
        call()


@pytest.mark.parametrize("error", [ObjectGone("gone"), BucketUnavailable("no"), ValueError("ours")])
def test_errors_of_our_own_pass_unchanged(error: Exception) -> None:
    call, calls = failing(error)
    with pytest.raises(type(error)) as caught:
        call()
    assert caught.value is error
    assert len(calls) == 1
