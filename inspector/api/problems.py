"""Errors as problem+json (RFC 9457), and for people as pages: ours, the services' and those of Flask itself.

`type` is stable: programs may compare it. `urn:inspector:problem:` followed by one of: `not-found`,
`bad-key`, `bad-parameter`, `unauthorized`, `forbidden`, `unknown-host`, `not-local`, `cross-site`,
`length-required`, `too-large`, `too-many-requests`, `too-many-streams`, `conflict`, `outdated`, `refused`,
`request-in-progress`, `key-reused`, `database-unavailable`, `bucket-unavailable`, `unavailable`, or for an
error of HTTP itself by its name, such as `method-not-allowed` or `internal-server-error`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from inspector.api.error_pages import error_page, is_of_pages, wants_page
from inspector.errors import (
    BucketUnavailable,
    DatabaseUnavailable,
    DecisionOutdated,
    DecisionRefused,
    Unavailable,
    UnknownSubject,
)

TYPE_PREFIX: Final = "urn:inspector:problem:"
RETRY_AFTER_S: Final = 5

_TITLES: Final = {
    "not-found": "Not found",
    "bad-key": "Unreadable key",
    "bad-parameter": "Unreadable parameter",
    "unauthorized": "A token is needed",
    "forbidden": "This token may not do that",
    "unknown-host": "Unknown host",
    "not-local": "Only this machine is let in",
    "cross-site": "Asked for by another site",
    "length-required": "Length required",
    "too-large": "Request too large",
    "too-many-requests": "Too many requests",
    "too-many-streams": "Too many streams",
    "conflict": "Not in this state",
    "outdated": "It has changed meanwhile",
    "refused": "That cannot be done",
    "request-in-progress": "The same request is under way",
    "key-reused": "Another request had this idempotency key",
    "database-unavailable": "The database cannot be asked",
    "bucket-unavailable": "The bucket cannot be asked",
    "unavailable": "A service cannot be asked",
}

log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is an error. slug: the end of its type; detail: what happened here, in plain words.

    more: further members of the document.
    """

    def __init__(
        self,
        status: int,
        slug: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.slug = slug
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})


def handle_errors(app: Flask) -> None:
    """Answer every error of this app as a problem."""
    app.register_error_handler(Problem, _from_problem)
    app.register_error_handler(Unavailable, _from_unavailable)
    app.register_error_handler(UnknownSubject, lambda exc: _from_problem(of_review(exc)))
    app.register_error_handler(DecisionRefused, lambda exc: _from_problem(of_review(exc)))
    app.register_error_handler(HTTPException, _from_http)
    app.register_error_handler(Exception, _from_surprise)


def of_review(exc: UnknownSubject | DecisionRefused) -> Problem:
    """What cannot be decided or done, as a problem."""
    if isinstance(exc, UnknownSubject):
        return Problem(404, "not-found", str(exc))
    return Problem(409, "outdated" if isinstance(exc, DecisionOutdated) else "refused", str(exc))


def _from_problem(problem: Problem) -> Response:
    title = _TITLES[problem.slug]
    return _respond(problem.status, problem.slug, title, problem.detail, problem.headers, problem.more)


def _from_unavailable(exc: Unavailable) -> Response:
    slug = "unavailable"
    if isinstance(exc, DatabaseUnavailable):
        slug = "database-unavailable"
    elif isinstance(exc, BucketUnavailable):
        slug = "bucket-unavailable"
    log.warning("request_unanswerable", path=request.path, problem=str(exc))
    detail = f"{_TITLES[slug]} now; try again in a few seconds."
    return _respond(503, slug, _TITLES[slug], detail, {"Retry-After": str(RETRY_AFTER_S)})


def _from_http(exc: HTTPException) -> Response:
    kept = {name: value for name, value in exc.get_headers() if name in ("Allow", "Location", "Retry-After")}
    slug = "too-large" if exc.code == 413 else exc.name.lower().replace(" ", "-")
    return _respond(exc.code or 500, slug, exc.name, exc.description or exc.name, kept)


def _from_surprise(exc: Exception) -> Response:
    log.error("request_failed", path=request.path, exc_info=exc)
    title = "Internal Server Error"
    return _respond(500, "internal-server-error", title, "This is our fault; the log says more.", {})


def _respond(
    status: int,
    slug: str,
    title: str,
    detail: str,
    headers: Mapping[str, str],
    more: Mapping[str, Any] | None = None,
) -> Response:
    if wants_page() and is_of_pages():
        return error_page(status, slug, title, detail, headers)
    body = {
        "type": TYPE_PREFIX + slug,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": _address(),
        **(more or {}),
    }
    response = Response(json.dumps(body) + "\n", status, content_type="application/problem+json")
    response.headers.extend(headers)
    return response


def _address() -> str:
    """What was asked for. Bytes that are no text must not turn an error into one of ours."""
    query = request.query_string.decode(errors="replace")
    return f"{request.path}?{query}" if query else request.path
