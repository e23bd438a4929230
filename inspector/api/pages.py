"""`/`: the newest videos as a table that keeps itself up to date."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.datastructures import MultiDict

from inspector.api.board import StatusBoard
from inspector.api.documents import REMEDIES
from inspector.api.glance import Glance
from inspector.api.keys import key_address
from inspector.api.status import next_address, wanted_page
from inspector.model import State


class PageViews:
    """The views for people. Jinja escapes everything; the script and the style are files of our own."""

    def __init__(self, board: StatusBoard, glance: Glance, bucket: str) -> None:
        self._board = board
        self._glance = glance
        self._bucket = bucket

    def blueprint(self) -> Blueprint:
        views = Blueprint("pages", __name__)
        views.add_url_rule("/", view_func=self.index)
        views.add_url_rule("/videos", view_func=self.videos)
        views.add_app_template_global(key_address)
        return views

    def index(self) -> Response:
        """`GET /`: the page; `?limit=`, `?before=` and `?state=` as for `/status`."""
        return _html("index.html", self._context())

    def videos(self) -> Response:
        """`GET /videos`: the part of the page that the script fetches anew."""
        response = _html("videos.html", self._context())
        response.add_etag(weak=True)
        response.make_conditional(request.environ)
        return response

    def _context(self) -> dict[str, Any]:
        wanted = wanted_page()
        videos = self._board.page(
            self._bucket, before=wanted.before, limit=wanted.limit + 1, state=wanted.state
        )
        following = next_address(videos, wanted)
        jobs = self._glance.overview().jobs
        return {
            "bucket": self._bucket,
            "videos": videos[: wanted.limit],
            "older": None if following is None else following.replace("/status", "/", 1),
            "query": _query_string(request.args),
            "state": wanted.state,
            "counts": {state: jobs[state] for state in State if jobs.get(state)},
            "remedies": {reason.value: remedy for reason, remedy in REMEDIES.items()},
        }


def _query_string(arguments: MultiDict[str, str]) -> str:
    """The page's own parameters, for the script."""
    known = ("limit", "before", "state")
    return "&".join(f"{name}={arguments[name]}" for name in known if name in arguments)


def _html(template: str, context: dict[str, Any]) -> Response:
    response = make_response(render_template(template, **context))
    response.headers["Cache-Control"] = "no-cache"
    return response
