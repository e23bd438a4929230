"""What the pages stand on, and how one of them is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, render_template, request

from inspector.api.board import StatusBoard
from inspector.api.finder import Finder
from inspector.api.glance import Glance
from inspector.api.ports import MediaSource, PageSource, QueueSource
from inspector.settings import Settings
from inspector.store.reviews import Reviews


@dataclass(frozen=True, slots=True)
class Behind:
    """queue: None where nobody can be asked how full it is.  reviews: None where nothing is decided.
    uploads: whether videos can be uploaded by the API.
    """

    settings: Settings
    board: StatusBoard
    finder: Finder
    glance: Glance
    media: MediaSource
    source: PageSource
    queue: QueueSource | None = None
    reviews: Reviews | None = None
    uploads: bool = False


def page(template: str, status: int = 200, /, **context: Any) -> Response:
    """A page that a browser asks for again, but receives again only if it has changed."""
    response = make_response(render_template(template, **context), status)
    response.headers["Cache-Control"] = "no-cache"
    response.headers["Vary"] = "Cookie"
    response.add_etag(weak=True)
    response.make_conditional(request.environ)
    return response
