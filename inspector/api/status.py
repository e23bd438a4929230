"""`/status`: all videos, one video, or the stream of one video's changes."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

from flask import Blueprint, Response, request

from inspector.api.board import Snapshot, StatusBoard
from inspector.api.documents import page_document, status_document
from inspector.api.finder import Finder
from inspector.api.guard import caller
from inspector.api.keys import key_from_path, key_from_query
from inspector.api.problems import Problem
from inspector.api.quick import FOUND
from inspector.api.stream import Live, Streams
from inspector.model import State, VideoStatus

PAGE_LIMIT: Final = 50
MAX_PAGE_LIMIT: Final = 200
MAX_ID: Final = 2**63 - 1
EVENT_STREAM: Final = "text/event-stream"
_PREFIX: Final = "/status/"
_DOCUMENT_HEADERS: Final = (
    ("Content-Type", "application/json"),
    ("Cache-Control", "private, no-cache"),
    ("Vary", "Accept"),
)


class StatusViews:
    """The views of `/status`; `blueprint` puts them under their addresses."""

    def __init__(self, board: StatusBoard, finder: Finder, streams: Streams, bucket: str) -> None:
        self._board = board
        self._finder = finder
        self._streams = streams
        self._bucket = bucket

    def blueprint(self) -> Blueprint:
        views = Blueprint("status", __name__)
        views.add_url_rule("/status", view_func=self.many)
        views.add_url_rule(f"{_PREFIX}<s3key:key>", view_func=self.one)
        views.add_url_rule("/events", view_func=self.events)
        return views

    def many(self) -> Response:
        """`GET /status`: newest first; `?limit=`, `?before=`, `?state=`, `?common=`, or one by `?key=`."""
        key = key_from_query(request.query_string)
        if key is not None:
            return self._answer(key)
        wanted = wanted_page()
        videos = self._board.page(
            self._bucket, before=wanted.before, limit=wanted.limit + 1, state=wanted.state
        )
        following = next_address(videos, wanted)
        links = {"Link": f'<{following}>; rel="next"'} if following else {}
        return _json(page_document(videos[: wanted.limit], following, common=wanted.common), links)

    def one(self, key: str) -> Response:
        """`GET /status/<key>`. The key is read from the raw path: routing would forgive bad UTF-8."""
        key = key_from_path(request.environ["PATH_INFO"], _PREFIX) if key else key
        return self._answer(key) if key else self.many()

    def events(self) -> Response:
        """`GET /events`: every change of every video as it happens; `?prefix=`, `Last-Event-ID`."""
        position = _position(request.headers.get("Last-Event-ID"))
        prefix = request.args.get("prefix", "")
        return stream_response(self._streams.changes(prefix, position, caller().name))

    def _answer(self, key: str) -> Response:
        streamed = _wants_stream()
        known = None if streamed else self._remembered(key)
        if known is not None:
            return known.shown(_with_common if _common() else _without_common).response()
        status = self._finder.find(key)
        if status is None:
            raise Problem(
                404, "not-found", "No video has this key or file name, nor has the bucket an object."
            )
        if streamed:
            return self._stream(status)
        return (_with_common if _common() else _without_common)(status).response()

    def _remembered(self, key: str) -> Snapshot | None:
        """The video as memory has it; the server may have looked already."""
        found: Snapshot | None = request.environ.get(FOUND)
        if found is not None and found.place == (self._bucket, key):
            return found
        return self._finder.remembered(key)

    def _stream(self, status: VideoStatus) -> Response:
        seen = request.headers.get("Last-Event-ID") == str(status.revision)
        if seen and status.state.final:
            return Response(status=204)  # tells an EventSource that has seen the end not to come back
        return stream_response(self._streams.status(status, caller().name, seen=seen))


class Document(NamedTuple):
    """A status as it is sent; made once a revision, for all who ask."""

    body: bytes
    etag: str

    def response(self) -> Response:
        """The answer to the present request: this, or that nothing has changed."""
        response = Response(self.body, headers=[*_DOCUMENT_HEADERS, ("ETag", self.etag)])
        if "HTTP_IF_NONE_MATCH" in request.environ:
            response.make_conditional(request.environ)
        return response


def _document(status: VideoStatus, *, common: bool) -> Document:
    body = _encoded(status_document(status, common=common))
    # From the body, not the revision: two rows share that number, so it may stay while the text changes.
    return Document(body, f'W/"{hashlib.sha256(body).hexdigest()[:32]}"')


def _with_common(status: VideoStatus) -> Document:
    return _document(status, common=True)


def _without_common(status: VideoStatus) -> Document:
    return _document(status, common=False)


def _wants_stream() -> bool:
    """Whether the caller prefers a stream; most say nothing of the kind, which costs nothing to find out."""
    if EVENT_STREAM not in request.environ.get("HTTP_ACCEPT", ""):
        return False
    return request.accept_mimetypes.best_match(["application/json", EVENT_STREAM]) == EVENT_STREAM


def stream_response(body: Live) -> Response:
    """The answer whose body is a stream."""
    response = Response(body, content_type=EVENT_STREAM, direct_passthrough=True)
    response.headers.update({"Cache-Control": "no-store", "Vary": "Accept", "X-Accel-Buffering": "no"})
    return response


class WantedPage(NamedTuple):
    """What a request asks for: so many videos before this id, in this state, with common material or not."""

    limit: int
    before: int | None
    state: State | None
    common: bool


def wanted_page() -> WantedPage:
    """The parameters of this request. Raises Problem (400)."""
    limit = _whole_number("limit", 1, MAX_PAGE_LIMIT)
    before = _whole_number("before", 1, MAX_ID)
    return WantedPage(PAGE_LIMIT if limit is None else limit, before, _state(), _common())


def next_address(videos: list[VideoStatus], wanted: WantedPage) -> str | None:
    """Where the videos after those of the page are; None if there are no more."""
    if len(videos) <= wanted.limit:
        return None
    query: dict[str, Any] = {"limit": wanted.limit, "before": videos[wanted.limit - 1].video_id}
    if wanted.state is not None:
        query["state"] = wanted.state.value
    if wanted.common:
        query["common"] = "true"
    return f"/status?{urlencode(query)}"


def _whole_number(name: str, least: int, most: int) -> int | None:
    text = request.args.get(name)
    if text is None:
        return None
    # Longer texts are out of range; `isdigit` alone would let ٣ and ² through.
    if text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most:
        return int(text)
    raise Problem(400, "bad-parameter", f"{name} must be a whole number from {least} to {most}.")


def _position(text: str | None) -> int | None:
    """A position of the log; None if there is none, or what was never one of ours."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 19):
        return None
    return int(text)


def _state() -> State | None:
    text = request.args.get("state")
    stored = [state.value for state in State if state is not State.PENDING]
    if text is None:
        return None
    if text not in stored:
        raise Problem(400, "bad-parameter", f"state must be one of {', '.join(stored)}.")
    return State(text)


def _common() -> bool:
    text = request.args.get("common", "false")
    if text not in ("true", "false"):
        raise Problem(400, "bad-parameter", "common must be true or false.")
    return text == "true"


def _json(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(_encoded(document), headers=[*_DOCUMENT_HEADERS, *(headers or {}).items()])


def _encoded(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=2, allow_nan=False).encode() + b"\n"
