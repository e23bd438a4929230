"""Who may ask, and how much. Every request passes here before anything else is done with it.

Without tokens only this machine is let in, as admin, and then the Host header must name it too: a page from
elsewhere whose name was made to resolve to 127.0.0.1 (DNS rebinding) would otherwise read everything through
the visitor's browser. With tokens every request but the public ones carries one, or the cookie that `login`
gave for one.

A view need not ask for anything: to read takes the role `read`, any other method `admin` and, from a browser,
a page of our own.
"""

from __future__ import annotations

import ipaddress
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode, urlsplit

from flask import Flask, g, redirect, request, session
from werkzeug.wrappers import Response as AnyResponse

from inspector.api.error_pages import wants_page
from inspector.api.limits import RateLimit
from inspector.api.problems import Problem
from inspector.api.tokens import Role, Tokens
from inspector.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MAX_BODY_BYTES: Final = 64 * 1024
SESSION_TOKEN: Final = "token"  # noqa: S105 - where the session keeps the name of its token
LOGIN: Final = "/login"
LOGOUT: Final = "/logout"
PROBES: Final = frozenset({"/livez", "/readyz"})  # asked by address, and without a token
_PUBLIC: Final = PROBES | {LOGIN, LOGOUT}
_STATIC: Final = "/static/"  # style and scripts of the login page; they are the same everywhere

_AUTHORIZATION: Final = "Authorization"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_ELSEWHERE: Final = frozenset({"cross-site", "same-site"})  # another port of localhost is the same site
_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Real-IP")

_POLICY: Final = "Content-Security-Policy"
_HEADERS: Final = tuple({
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",  # with `no-referrer` the forms of our own pages say `Origin: null`
    "X-Content-Type-Options": "nosniff",
}.items())  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. role: None for somebody unknown.  name: under which limits count; None: they do not."""

    role: Role | None
    name: str | None
    by_cookie: bool = False

    def may(self, needed: Role) -> bool:
        return self.role is not None and self.role.covers(needed)


def caller() -> Caller:
    """Who asks in the present request."""
    asking: Caller = g.caller
    return asking


def actor() -> str:
    """Who decides in the present request, as the history calls them."""
    return caller().name or "this machine"


def protect(app: Flask, settings: Settings, tokens: Tokens, *, media_origin: str = "") -> None:
    """Check every request to this app before anything else, and harden every response.

    media_origin: where browsers reach the bucket; our pages may show and send objects there.
    """
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    rate = RateLimit(settings.rate_limit)

    def check() -> AnyResponse | None:
        _check_form()
        g.caller = _identify(tokens)
        _check_rate(rate)
        _check_page()
        return _check_role()

    app.before_request(check)
    policy = content_policy(media_origin)
    app.wsgi_app = _hardened(app.wsgi_app, policy)  # type: ignore[assignment,method-assign]  # Flask's own way of wrapping


# ---------------------------------------------------------------- who asks


def _identify(tokens: Tokens) -> Caller:
    """Raises Problem where there are no tokens and somebody is not of this machine; probes need not be."""
    if not tokens:
        try:
            _check_local()
        except Problem:
            if request.path not in PROBES:
                raise
            return Caller(None, _address())
        return Caller(Role.ADMIN, None)
    sent = request.headers.get(_AUTHORIZATION)
    known = tokens.by_name(session.get(SESSION_TOKEN)) if sent is None else tokens.by_token(_bearer(sent))
    if known is None:
        return Caller(None, _address())
    return Caller(known.role, known.name, by_cookie=sent is None)


def _bearer(authorization: str) -> bytes:
    """The token in such a header; empty, which is no token, if there is none."""
    scheme, _, given = authorization.partition(" ")
    return given.strip().encode("latin-1", "replace") if scheme.lower() == "bearer" else b""


def _address() -> str:
    return f"address {request.remote_addr}"


def _check_local() -> None:
    """Let this machine in, and nobody who comes through it: neither a page from elsewhere nor a proxy."""
    if not names_this_machine(request.headers.get("Host", "")):
        detail = "Without a token only this machine's own names are answered, such as 127.0.0.1."
        raise Problem(403, "unknown-host", detail)
    forwarded = any(name in request.headers for name in _FORWARDED)
    if forwarded or not names_this_machine(_bracketed(request.remote_addr or "")):
        raise Problem(403, "not-local", "Without a token only this machine is let in: set INSPECTOR_TOKEN.")
    origin = request.headers.get("Origin")
    if origin is not None and not names_this_machine(_authority(origin)):
        raise _cross_site()


@lru_cache(maxsize=256)
def names_this_machine(authority: str) -> bool:
    """Whether a Host header names the loopback interface, with or without a port."""
    host, bracket, _ = authority.strip().lower().removeprefix("[").partition("]")
    if not bracket:
        host = host.partition(":")[0]
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


# ---------------------------------------------------------------- what they may


def _check_form() -> None:
    """Refuse what is too large, says no length, or has parameters that are no text."""
    if "Transfer-Encoding" in request.headers:
        raise Problem(411, "length-required", "Requests with a body must say its Content-Length.")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise Problem(413, "too-large", f"Requests may carry up to {MAX_BODY_BYTES} bytes.")
    try:
        request.query_string.decode()
    except UnicodeDecodeError:
        raise Problem(400, "bad-parameter", "The query string is not UTF-8; percent-encode it.") from None


def _check_rate(rate: RateLimit) -> None:
    name = caller().name
    wait_s = rate.take(name) if name is not None else 0.0
    if wait_s:
        detail = "There were too many requests in a short time."
        raise Problem(429, "too-many-requests", detail, {"Retry-After": str(math.ceil(wait_s))})


def _check_page() -> None:
    """Refuse what a page from elsewhere makes a browser do; links to us are no harm.

    Source: the W3C's Fetch Metadata Request Headers, section "Resource isolation policy". Browsers send
    Sec-Fetch-Site, or at least Origin with every method that may change something; programs send neither.
    """
    safe = request.method in _SAFE_METHODS
    site = request.headers.get("Sec-Fetch-Site")
    if site in _ELSEWHERE and not (safe and request.headers.get("Sec-Fetch-Mode") == "navigate"):
        raise _cross_site()
    if safe:
        return
    origin = request.headers.get("Origin")
    if origin is None:
        trusted = site is not None or not caller().by_cookie
    else:
        trusted = _authority(origin) == request.headers.get("Host", "").lower()
    if not trusted:
        raise _cross_site()


def _check_role() -> AnyResponse | None:
    """None if the caller may; a browser without a token is led to the login page. Raises Problem."""
    if request.path in _PUBLIC or request.path.startswith(_STATIC):
        return None
    needed = Role.READ if request.method in _SAFE_METHODS else Role.ADMIN
    if caller().may(needed):
        return None
    if caller().role is not None:
        raise Problem(403, "forbidden", f"This takes a token with the role {needed.value}.")
    if request.method in ("GET", "HEAD") and wants_page() and _AUTHORIZATION not in request.headers:
        return redirect(f"{LOGIN}?{urlencode({'next': request.environ.get('RAW_URI', '/')})}", 303)
    if _AUTHORIZATION in request.headers:
        raise unauthorized("This token is not valid, or not any more.")
    raise unauthorized("Send the header `Authorization: Bearer` with a token.")


def unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, {"WWW-Authenticate": 'Bearer realm="inspector"'})


def _cross_site() -> Problem:
    return Problem(403, "cross-site", "A page of another site asks for this.")


def _authority(origin: str) -> str:
    """Host and port of an Origin header; empty if it is none, such as `null`."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _hardened(answer: WSGIApplication, policy: str) -> WSGIApplication:
    """The application with our headers in every answer. On the way out they are a list, which is cheap."""

    def hardened(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        public = environ.get("PATH_INFO", "").startswith(_STATIC)

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            return start_response(status, harden(headers, public=public, policy=policy), exc_info)

        return answer(environ, start)

    return hardened


def content_policy(media_origin: str) -> str:
    """What our pages may load, and from where: scripts and styles from us alone."""
    media = f"'self' {media_origin}".strip()
    return (
        f"default-src 'none'; script-src 'self'; style-src 'self'; img-src {media}; media-src {media}; "
        f"connect-src {media}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


_OWN_CONTENT: Final = content_policy("")


def harden(
    headers: list[tuple[str, str]], *, public: bool, policy: str = _OWN_CONTENT
) -> list[tuple[str, str]]:
    """The headers with those that are missing. public: what is answered is the same for everybody.

    policy: of the content, for pages that show objects of the bucket.
    """
    given = {name.lower(): value for name, value in headers}
    wanted = ((_POLICY, policy), *_HEADERS)
    hardened = [*headers, *(pair for pair in wanted if pair[0].lower() not in given)]
    caching = given.get("cache-control", "")
    if not public and "private" not in caching and "no-store" not in caching:
        # no proxy may hand one caller's answers to another
        hardened = [pair for pair in hardened if pair[0].lower() != "cache-control"]
        hardened.append(("Cache-Control", f"{caching}, private" if caching else "private"))
    return hardened
