"""`Idempotency-Key`: a request that is sent twice is done once, and answered alike both times.

Source: the IETF's draft "The Idempotency-Key HTTP Header Field". The first answer is kept in PostgreSQL, so
it does not matter which web process is asked. An answer of 5xx, and what ended in an outage, is not kept: it
may be tried again under the same key.
"""

from __future__ import annotations

import hashlib
from typing import Final

import structlog
from flask import Blueprint, Response, g, request

from inspector.api.guard import caller
from inspector.api.problems import Problem
from inspector.errors import DatabaseUnavailable
from inspector.store import Database, idempotency
from inspector.store.idempotency import Answer, Claim

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"
MAX_KEY_CHARS: Final = 255
_KEPT_HEADERS: Final = ("Content-Type", "Location")

log = structlog.get_logger(__name__)


class IdempotentPosts:
    """Heeds the header for all posts of a blueprint."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def watch(self, api: Blueprint) -> None:
        api.before_request(self._before)
        api.after_request(self._after)

    def _before(self) -> Response | None:
        """The answer to a request that was answered before. Raises Problem for one that cannot be."""
        key = request.headers.get(HEADER)
        g.idempotency_claim = None
        if key is None or request.method != "POST":
            return None
        if not 0 < len(key) <= MAX_KEY_CHARS or not key.isascii() or not key.isprintable():
            wanted = f"1 to {MAX_KEY_CHARS} printable ASCII characters"
            raise Problem(400, "bad-parameter", f"{HEADER} must be {wanted}.")
        with self._db.begin() as tx:
            found = idempotency.claim(tx, caller().name or "", key, _request_hash())
        if isinstance(found, Claim):
            g.idempotency_claim = found
            return None
        if found is None:
            detail = "The first request with this idempotency key is not answered yet."
            raise Problem(409, "request-in-progress", detail, {"Retry-After": "1"})
        if found.request_hash != _request_hash():
            detail = "Another request was sent with this idempotency key: use a new one."
            raise Problem(422, "key-reused", detail)
        replayed = Response(found.body, found.status)
        replayed.headers.update({**found.headers, REPLAYED: "true"})
        return replayed

    def _after(self, response: Response) -> Response:
        """Keep the answer. If that fails the claim runs out by itself."""
        claim: Claim | None = g.get("idempotency_claim")
        if claim is None:
            return response
        headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        kept = Answer(_request_hash(), response.status_code, headers, response.get_data())
        try:
            with self._db.begin() as tx:
                if response.status_code < 500:
                    idempotency.keep(tx, claim, kept)
                else:
                    idempotency.withdraw(tx, claim)
        except DatabaseUnavailable as exc:
            log.warning("answer_not_kept", problem=str(exc))
        return response


def _request_hash() -> bytes:
    """What is asked for: method, address and body."""
    asked = f"{request.method} {request.full_path}\n".encode() + request.get_data()
    return hashlib.sha256(asked).digest()
