"""The plain routes in the OpenAPI document: the short form of the API, and what machines watch.

They are older than `/api/v1` and stay: a status by key, in one document, for a person with curl.
"""

from __future__ import annotations

from typing import Any, Final

from inspector.api.status import MAX_PAGE_LIMIT, PAGE_LIMIT
from inspector.api.v1.models import (
    MAX_ID,
    Fault,
    MatchEvidence,
    Media,
    Moments,
    Said,
)
from inspector.model import State, Verdict

TAG: Final = {"name": "status", "description": "The short form: everything about one video by its key."}
_HEALTH: Final = "health"


class StatusSegment(Said):
    start_s: float
    end_s: float
    duplicate_start_s: float
    duplicate_end_s: float
    score: float


class StatusDuplicate(Said):
    """Another video that shares material with this one."""

    key: str
    bucket: str
    verdict: Verdict
    score: float
    speed: float
    segments: list[StatusSegment]
    evidence: MatchEvidence
    links: dict[str, str]


class StatusDocument(Said):
    """Everything about one video."""

    key: str
    bucket: str
    status: State
    progress: float | None
    eta_s: float | None
    scene_cuts: list[float]
    total_cuts: int
    duplicates: list[StatusDuplicate]
    total_common: int
    media: Media | None
    error: Fault | None
    attempts: int
    timestamps: Moments
    revision: int
    truncated: bool
    size_bytes: int | None
    sha256: str | None
    links: dict[str, str]


class StatusPage(Said):
    videos: list[StatusDocument]
    next: str | None


class BuildInfo(Said):
    name: str
    version: str
    algorithm: int
    python: str


class ReadyCheck(Said):
    ok: bool
    detail: str | None = None


class Readiness(Said):
    status: str
    checks: dict[str, ReadyCheck]


class Liveness(Said):
    status: str


MODELS: Final = (StatusDocument, StatusPage, BuildInfo, Readiness, Liveness)


def paths() -> dict[str, Any]:
    """The path items of the plain routes."""
    common = _parameter("common", {"type": "boolean"}, "List what shares only common material too.")
    key = _parameter("key", {"type": "string", "minLength": 1}, "One video by its key, whatever it holds.")
    limit = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_LIMIT, "default": PAGE_LIMIT}
    stored = [state.value for state in State if state is not State.PENDING]
    page = [
        _parameter("limit", limit, "The most that a page holds."),
        _parameter("before", {"type": "integer", "minimum": 1, "maximum": MAX_ID}, "Found in `next`."),
        _parameter("state", {"type": "string", "enum": stored}, "Only in this state."),
        common,
        key,
    ]
    in_path = {"type": "string", "minLength": 1}
    named = _parameter("key", in_path, "The key, or a bare file name; slashes may stand in it.", "path")
    either = {"anyOf": [_ref(StatusPage), _ref(StatusDocument)]}
    return {
        "/status": {"get": _reads("list_status", "List all videos, newest first", TAG["name"], either, page)},
        "/status/{key}": {
            "get": _reads(
                "get_status",
                "Get the status of one video; or, as text/event-stream, its changes",
                TAG["name"],
                _ref(StatusDocument),
                [named, common],
            )
        },
        "/livez": {"get": _reads("livez", "This process answers", _HEALTH, _ref(Liveness))},
        "/readyz": {"get": _reads("readyz", "Whether we can answer", _HEALTH, _ref(Readiness))},
        "/build-info": {"get": _reads("build_info", "What runs here", _HEALTH, _ref(BuildInfo))},
    }


def _reads(
    name: str, summary: str, tag: str, schema: dict[str, Any], parameters: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "tags": [tag],
        "parameters": parameters or [],
        "responses": {"200": {"description": "OK", "content": {"application/json": {"schema": schema}}}},
    }


def _parameter(name: str, schema: dict[str, Any], description: str, where: str = "query") -> dict[str, Any]:
    required = where == "path"
    return {"name": name, "in": where, "required": required, "schema": schema, "description": description}


def _ref(model: type[Said]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
