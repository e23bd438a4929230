"""What all views of the API do alike: JSON with an ETag, cursors, and problems for what is unreadable."""

from __future__ import annotations

import base64
import binascii
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import urlencode

from flask import Response, request
from pydantic import BaseModel, ValidationError

from inspector.api.problems import Problem

PREFIX: Final = "/api/v1"
_MOST_FAULTS: Final = 5  # named in one answer


def as_view(method: Callable[..., Response]) -> Callable[..., Response]:
    """The method as a function: flask-openapi3 leaves a mark on its views, and methods take none."""

    @functools.wraps(method)
    def view(**arguments: Any) -> Response:
        return method(**arguments)

    return view


def answer(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The document as JSON; for reading requests with an ETag, and 304 where it is known already."""
    response = Response(model.model_dump_json(indent=2) + "\n", status, content_type="application/json")
    response.headers["Cache-Control"] = "no-cache"
    response.headers.extend(headers or {})
    if request.method in ("GET", "HEAD"):
        response.add_etag(weak=True)
        response.make_conditional(request.environ)
    return response


def empty() -> Response:
    """Done, and nothing to say."""
    return Response(status=204)


def refuse(exc: ValidationError) -> NoReturn:
    """Answer parameters or a body that are not as documented."""
    faults = [
        f"{'.'.join(map(str, fault['loc'])) or 'body'}: {fault['msg']}"
        for fault in exc.errors(include_url=False, include_context=False, include_input=False)[:_MOST_FAULTS]
    ]
    raise Problem(400, "bad-parameter", "; ".join(faults))


class Cursors:
    """Positions in a list as opaque texts. kind: what they belong to; no other list takes them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def write(self, *position: Any) -> str:
        """A position as a text."""
        packed = json.dumps([self._kind, *position], separators=(",", ":"))
        return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")

    def read(self, cursor: str, *types: type) -> list[Any]:
        """The position, of these types. Raises Problem (400)."""
        try:
            padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
            found = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error, RecursionError):
            found = None
        if (
            not isinstance(found, list)
            or [type(part) for part in found] != [str, *types]
            or found[0] != self._kind
            or any(isinstance(part, int) and not 0 <= part < 2**63 for part in found)
        ):
            raise Problem(400, "bad-parameter", "cursor is none of this list: take it from `next`.")
        return found[1:]


def next_address(path: str, query: BaseModel, cursor: str | None) -> str | None:
    """The address of the next page of the same list; None without a cursor."""
    if cursor is None:
        return None
    asked = query.model_dump(mode="json", exclude_defaults=True, exclude={"cursor"})
    return f"{path}?{urlencode({**asked, 'cursor': cursor}, doseq=True)}"


def linked(following: str | None) -> dict[str, str]:
    """The header that names the next page (RFC 8288)."""
    return {"Link": f'<{following}>; rel="next"'} if following else {}
