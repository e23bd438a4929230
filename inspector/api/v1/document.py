"""`/openapi.json` and `/api`: what the API is, for programs and for people.

The views under `/api/v1` describe themselves; the plain routes, the short form, are described here.
"""

from __future__ import annotations

import json
import threading
from typing import Any, Final

from flask import Blueprint, Response, render_template, request
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, TypeAdapter

from inspector.api.v1 import models, plain

ADDRESS: Final = "/openapi.json"
_PROBLEM: Final = {"$ref": f"#/components/schemas/{models.ProblemDocument.__name__}"}
_ERRORS: Final = {
    "400": "A parameter, the body or the key is not as documented.",
    "401": "A token is needed.",
    "403": "The token does not permit it, or a page of another site asks.",
    "404": "There is no such thing.",
    "409": "Not in this state, or the same request is under way.",
    "411": "A body needs a `Content-Length`.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "422": "Another request had this idempotency key.",
    "429": "Too many requests; `Retry-After` says when to come again.",
    "503": "The database or the bucket cannot be asked; `Retry-After` says when to come again.",
    "default": "Any other error.",
}
_POSTS_ONLY: Final = frozenset({"409", "411", "413", "415", "422"})
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Sent again with the same key, a request is done once and answered alike, for a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"},
}
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A token; `admin` for all but reading."},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "inspector_session"},
}


class DocumentViews:
    """The document, made once: what it describes does not change while we run."""

    def __init__(self, app: OpenAPI) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._document: dict[str, Any] = {}

    def blueprint(self) -> Blueprint:
        views = Blueprint("document", __name__, template_folder="../templates")
        views.add_url_rule(ADDRESS, view_func=self.for_programs)
        views.add_url_rule("/api", view_func=self.for_people)
        return views

    def for_programs(self) -> Response:
        """`GET /openapi.json`."""
        text = json.dumps(self.document(), indent=1) + "\n"
        return _answer(Response(text, content_type="application/json"))

    def for_people(self) -> Response:
        """`GET /api`: the same as a page."""
        return _answer(Response(render_template("api.html", document=self.document(), at=self._at)))

    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        with self._lock:
            if not self._document:
                self._document = make_document(self._app)
            return self._document

    def _at(self, reference: str) -> dict[str, Any]:
        """What a `$ref` points at."""
        found: dict[str, Any] = self.document()
        for part in reference.removeprefix("#/").split("/"):
            found = found[part]
        return found


def make_document(app: OpenAPI) -> dict[str, Any]:
    """What the app collected of its API, the plain routes, and what holds for every operation."""
    document: dict[str, Any] = json.loads(json.dumps(app.api_doc))
    document["openapi"] = "3.1.0"
    document["paths"] = {**plain.paths(), **document["paths"]}
    document["tags"] = [plain.TAG, *document.get("tags", [])]
    document["components"]["securitySchemes"] = _SECURITY
    document["security"] = [{}, *({name: []} for name in _SECURITY)]
    document["components"]["schemas"].update(_schemas(plain.MODELS))
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            _complete(path, method, operation)
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add what every operation of this kind may answer and takes."""
    for status, description in _ERRORS.items():
        if method == "get" and status in _POSTS_ONLY - {"409"}:
            continue
        content = {"application/problem+json": {"schema": _PROBLEM}}
        operation["responses"][status] = {"description": description, "content": content}
    if method == "get":
        operation["responses"]["304"] = {"description": "Not modified: `If-None-Match` names this document."}
    if method == "post":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)


def _schemas(types: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    """The schemas of these answers, and of all that they hold, by name."""
    inputs = [(each, "serialization", TypeAdapter(each)) for each in types]
    template = "#/components/schemas/{model}"
    _, schema = TypeAdapter.json_schemas(inputs, ref_template=template)  # type: ignore[arg-type]
    found: dict[str, Any] = schema.get("$defs", {})
    return found


def _answer(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag()
    response.make_conditional(request.environ)
    return response
