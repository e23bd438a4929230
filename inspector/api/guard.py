"""Who may ask, and how much they may send.

With a token every request but the probes must carry it. Without one the server is reachable from this machine
only, and then the Host header must name this machine too: a page from elsewhere whose name was made to
resolve to 127.0.0.1 (DNS rebinding) would otherwise read everything through the visitor's browser.
"""

from __future__ import annotations

import hmac
import ipaddress
from typing import Final

from flask import Flask, Response, request

from inspector.api.problems import Problem
from inspector.settings import Settings

MAX_BODY_BYTES: Final = 64 * 1024
OPEN_PATHS: Final = frozenset({"/livez", "/readyz"})  # for probes, which have no token and ask by address

_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'; object-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def protect(app: Flask, settings: Settings) -> None:
    """Check every request to this app before anything else, and harden every response."""
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    token = settings.token.get_secret_value() if settings.token else None

    def check() -> None:
        if request.path not in OPEN_PATHS:
            _check_host() if token is None else _check_token(token)
        _check_size()

    def harden(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    app.before_request(check)
    app.after_request(harden)


def _check_token(token: str) -> None:
    if not hmac.compare_digest(_given_token(), token.encode()):
        detail = "Send the header `Authorization: Bearer` with the token of INSPECTOR_TOKEN."
        raise Problem(401, "unauthorized", detail, {"WWW-Authenticate": 'Basic realm="inspector"'})


def _given_token() -> bytes:
    """The token of a program (Bearer), or the password of a browser (Basic, with any user name)."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return given.strip().encode("latin-1", "replace")  # as header texts are read
    password = request.authorization.password if request.authorization else None
    return (password or "").encode()


def _check_host() -> None:
    if not names_this_machine(request.headers.get("Host", "")):
        detail = "Without INSPECTOR_TOKEN only this machine's own names are answered, such as 127.0.0.1."
        raise Problem(403, "unknown-host", detail)


def _check_size() -> None:
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise Problem(413, "too-large", f"Requests may carry up to {MAX_BODY_BYTES} bytes.")


def names_this_machine(host_header: str) -> bool:
    """Whether a Host header names the loopback interface, with or without a port."""
    host, bracket, _ = host_header.strip().lower().removeprefix("[").partition("]")
    if not bracket:
        host = host.partition(":")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
