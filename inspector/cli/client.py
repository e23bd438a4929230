"""Asking the running web server, as any program would."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlencode

from inspector.errors import InspectorError, Unavailable
from inspector.settings import Settings


class StatusClient:
    """Reads `/status`. Raises Unavailable if the server cannot be reached or asks to come back later.

    common: have also those listed who share only common material.
    """

    def __init__(self, settings: Settings, *, common: bool = False) -> None:
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
        self._base = f"http://{host}:{settings.port}"
        self._token = settings.token
        self._common = {"common": "true"} if common else {}

    def check_alive(self) -> None:
        """Return if the server answers."""
        self._get("/livez")

    def one(self, key: str) -> dict[str, Any]:
        """The status of one video. Raises InspectorError if there is none."""
        return self._get_json("/status?" + urlencode({"key": key, **self._common}))

    def page(self, limit: int) -> list[dict[str, Any]]:
        """The newest videos."""
        videos: list[dict[str, Any]] = self._get_json(
            "/status?" + urlencode({"limit": limit, **self._common})
        )["videos"]
        return videos

    def _get_json(self, path: str) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self._get(path))
        return answer

    def _get(self, path: str) -> bytes:
        headers = {"Accept": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        request = urllib.request.Request(self._base + path, headers=headers)  # noqa: S310 - always http
        try:
            with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
                content: bytes = response.read()
                return content
        except urllib.error.HTTPError as exc:
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
