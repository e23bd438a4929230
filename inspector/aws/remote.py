"""One way to call AWS: translate botocore's errors once; retry what may pass, a few times, with jitter."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from inspector.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")

#: What botocore raises on purpose.
FOREIGN_ERRORS: Final = (BotoCoreError, ClientError)

ATTEMPTS: Final = 4  # then the caller's own backoff takes over: the breaker, the job's attempts
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0

_TRANSIENT_CODES: Final = frozenset(
    {
        "RequestTimeout",
        "RequestThrottled",
        "Throttling",
        "ThrottlingException",
        "SlowDown",
        "OperationAborted",
        "RequestTimeTooSkewed",
    }
)


def remote(unavailable: type[Unavailable]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function that calls AWS raise `unavailable` for botocore's errors, after a few attempts.

    Errors of our own that the function raises pass through at once.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @retry(
            retry=retry_if_exception(may_pass),
            wait=wait_random_exponential(multiplier=FIRST_PAUSE_S, max=LONGEST_PAUSE_S),
            stop=stop_after_attempt(ATTEMPTS),
            reraise=True,
        )
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except FOREIGN_ERRORS as exc:
                raise unavailable(sentence(exc)) from exc

        return call

    return decorate


def error_code(exc: BaseException) -> str:
    """AWS's code of an error; empty if it has none."""
    return str(exc.response.get("Error", {}).get("Code", "")) if isinstance(exc, ClientError) else ""


def http_status(exc: ClientError) -> int:
    """The HTTP status of the answer, 0 if unknown."""
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def may_pass(exc: BaseException) -> bool:
    """Whether the same call may succeed a moment later: no connection, a server's fault, throttling."""
    cause = exc.__cause__
    if not isinstance(exc, Unavailable) or cause is None:
        return False
    if isinstance(cause, ClientError):
        return http_status(cause) >= 500 or error_code(cause) in _TRANSIENT_CODES
    return isinstance(cause, ConnectionError | HTTPClientError | IncompleteReadError)


def sentence(exc: BaseException) -> str:
    """What went wrong, in one line fit for a person."""
    if isinstance(exc, NoCredentialsError | PartialCredentialsError):
        return "no AWS credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give a role"
    if isinstance(exc, ClientError):
        operation = getattr(exc, "operation_name", "the call")
        message = exc.response.get("Error", {}).get("Message") or "no message"
        return f"{operation} was refused: {error_code(exc)} ({message})"
    return " ".join(str(exc).split())
