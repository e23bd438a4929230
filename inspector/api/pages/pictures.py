"""Pictures of videos, which we pass on, and the way to the videos themselves, which the bucket serves."""

from __future__ import annotations

import re
from typing import Final

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from inspector.api.keys import key_from_query, storable
from inspector.api.pages.behind import Behind
from inspector.api.problems import Problem

_SHA256: Final = re.compile("[0-9a-f]{64}")
_FOR_GOOD: Final = "private, max-age=31536000, immutable"  # a content's pictures never change


class PictureViews:
    """Small files, named by the content, and addresses that are signed for a few minutes."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind

    def show(self, sha256: str, number: int) -> Response:
        """`GET /pictures/<sha256>/<number>.jpg`: one picture of a content."""
        known = self._behind.source.thumbnails([sha256]) if _SHA256.fullmatch(sha256) else {}
        if sha256 not in known or number >= len(known[sha256].sizes):
            raise Problem(404, "not-found", "There is no such picture.")
        start, size_bytes = known[sha256].place(number)
        jpeg = self._behind.media.read(known[sha256].key, start, size_bytes)
        if jpeg is None:
            raise Problem(404, "not-found", "This picture is gone.")
        return Response(jpeg, content_type="image/jpeg", headers={"Cache-Control": _FOR_GOOD})

    def play(self) -> AnyResponse:
        """`GET /play?key=`: leads to the video in the bucket, by an address signed for a few minutes."""
        key = key_from_query(request.query_string)
        if key is None or not storable(key):
            raise Problem(404, "not-found", "There is no such video.")
        if self._behind.finder.recorded(key) is None:
            raise Problem(404, "not-found", "No video has this key.")
        response = redirect(self._behind.media.signed_url(key), 302)
        response.headers["Cache-Control"] = "no-store"
        return response


def picture_address(sha256: str, number: int) -> str:
    """Where a picture is."""
    return f"/pictures/{sha256}/{number}.jpg"
