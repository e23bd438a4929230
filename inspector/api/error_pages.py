"""Errors as pages: what is wrong in plain words, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from flask import Response, render_template, request

#: What a person can do about an error.
_REMEDIES: Final = {
    "not-found": "It may have been renamed, or never been here. Search for it in the library.",
    "bad-parameter": "The address says something that we do not understand. Begin at the library.",
    "bad-key": "The address says something that we do not understand. Begin at the library.",
    "unauthorized": "Log in with a token.",
    "forbidden": "Ask whoever runs this for a token that may do it, and log in with that one.",
    "unknown-host": "Open this page as http://127.0.0.1, or set a token: INSPECTOR_TOKEN.",
    "not-local": "Whoever runs this can let others in by a token: INSPECTOR_TOKEN.",
    "cross-site": "Open the page here, and do it there.",
    "too-many-requests": "This page asks again by itself in a moment.",
    "database-unavailable": "This page asks again by itself. If it stays so, see whether PostgreSQL runs.",
    "bucket-unavailable": "This page asks again by itself. If it stays so, see whether S3 can be reached.",
    "unavailable": "This page asks again by itself in a moment.",
    "internal-server-error": "Try it again. If it stays so, the log of the web server says why.",
}
_OF_PEOPLE: Final = frozenset({"pages", "login"})


def wants_page() -> bool:
    """Whether a person waits for this answer, rather than a program or a script."""
    navigates = request.headers.get("Sec-Fetch-Mode", "navigate") == "navigate"
    return navigates and "text/html" in request.headers.get("Accept", "")


def is_of_pages() -> bool:
    """Whether a page was asked for, or what nobody knows. The API answers browsers as everybody else."""
    if request.url_rule is None:
        return not request.path.startswith("/api/")
    return request.blueprint in _OF_PEOPLE


def error_page(status: int, slug: str, title: str, detail: str, headers: Mapping[str, str]) -> Response:
    """The error in plain words, with what to do next; what passes by itself is asked for again."""
    again_s = headers.get("Retry-After") if request.method in ("GET", "HEAD") else None
    remedy = _REMEDIES.get(
        slug, _REMEDIES["not-found"] if status < 500 else _REMEDIES["internal-server-error"]
    )
    text = render_template("error.html", title=title, detail=detail, remedy=remedy, again_s=again_s)
    response = Response(text, status, content_type="text/html; charset=utf-8")
    response.headers.extend(headers)
    response.headers["Cache-Control"] = "no-store"
    if again_s:
        response.headers["Refresh"] = again_s
    return response
