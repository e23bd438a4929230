"""Asking the running web server, as any program would."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from inspector.errors import InspectorError, Unavailable
from inspector.model import State
from inspector.settings import Settings


class StatusClient:
    """Reads `/status`. Raises Unavailable if the server cannot be reached or asks to come back later.

    common: have also those listed who share only common material.  timeout_s: of silence.
    """

    def __init__(self, settings: Settings, *, common: bool = False, timeout_s: float = 10.0) -> None:
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
        self._base = f"http://{host}:{settings.port}"
        self._token = settings.token
        self._common = {"common": "true"} if common else {}
        self._timeout_s = timeout_s

    def check_alive(self) -> None:
        """Return if the server answers."""
        self._get("/livez")

    def readiness(self) -> dict[str, Any]:
        """What `/readyz` says, whether it is ready or not."""
        return self._get_json("/readyz", expected=http.HTTPStatus.SERVICE_UNAVAILABLE)

    def one(self, key: str) -> dict[str, Any]:
        """The status of one video. Raises InspectorError if there is none."""
        return self._get_json("/status?" + urlencode({"key": key, **self._common}))

    def page(self, limit: int) -> list[dict[str, Any]]:
        """The newest videos."""
        videos: list[dict[str, Any]] = self._get_json(
            "/status?" + urlencode({"limit": limit, **self._common})
        )["videos"]
        return videos

    def system(self) -> dict[str, Any]:
        """How the whole is doing: jobs, workers, queues, throughput."""
        return self._get_json("/api/v1/system")

    def in_work(self, limit: int) -> list[dict[str, Any]]:
        """The videos that are inspected now."""
        address = "/api/v1/videos?" + urlencode({"state": State.PROCESSING, "limit": limit})
        videos: list[dict[str, Any]] = self._get_json(address)["videos"]
        return videos

    def _get_json(self, path: str, *, expected: int | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._get(path, expected=expected))
        return answer

    def _get(self, path: str, *, expected: int | None = None) -> bytes:
        """The body of an answer. expected: a status that is an answer too, and no fault."""
        headers = {"Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        request = urllib.request.Request(self._base + path, headers=headers)  # noqa: S310 - always http
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as response:  # noqa: S310
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as exc:
            if exc.code == expected:
                return exc.read()
            raise _explained(exc) from exc
        except (OSError, http.client.HTTPException) as exc:
            raise Unavailable(
                f"the web server at {self._base} does not answer ({exc}): is `inspector up` running?"
            ) from exc


def _explained(exc: urllib.error.HTTPError) -> InspectorError:
    try:
        problem = json.loads(exc.read())
        sentence = str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        sentence = f"{exc.code} {exc.reason}"
    return (
        Unavailable(sentence) if exc.code == http.HTTPStatus.SERVICE_UNAVAILABLE else InspectorError(sentence)
    )
