"""Logging in: a browser exchanges a token for a cookie, since an EventSource sends no headers of ours.

The cookie is signed, expires, and names the token it was given for, so it is worth nothing once that token is
withdrawn. It is out of reach of scripts (HttpOnly), and other sites cannot make a browser send it
(SameSite=Strict).
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Final

from flask import Blueprint, Flask, Response, make_response, redirect, render_template, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response as AnyResponse

from inspector.api.error_pages import wants_page
from inspector.api.guard import LOGIN, LOGOUT, SESSION_TOKEN, caller, unauthorized
from inspector.api.tokens import Tokens
from inspector.settings import Settings

COOKIE: Final = "inspector_session"
# Made at import, in gunicorn's parent: workers that follow one another accept the same cookies.
_RANDOM_SECRET: Final = secrets.token_bytes(32)


class LoginViews:
    """The views that give and take the cookie."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def blueprint(self) -> Blueprint:
        views = Blueprint("login", __name__)
        views.add_url_rule(LOGIN, view_func=self.page)
        views.add_url_rule(LOGIN, view_func=self.enter, methods=["POST"])
        views.add_url_rule(LOGOUT, view_func=self.leave, methods=["POST"])
        views.add_app_template_global(caller)
        return views

    def page(self) -> AnyResponse:
        """`GET /login`: the form; `?next=` is the address to go on to."""
        if caller().role is not None:
            return redirect(_next(), 303)
        return _page(200)

    def enter(self) -> AnyResponse:
        """`POST /login`: the cookie for `token`, or the form again."""
        known = self._tokens.by_token(request.form.get("token", "").strip().encode())
        if known is None and wants_page():
            return _page(401)
        if known is None:
            raise unauthorized("This token is not valid, or not any more.")
        session.clear()
        session[SESSION_TOKEN] = known.name
        session.permanent = True
        return redirect(_next(), 303)

    def leave(self) -> AnyResponse:
        """`POST /logout`: take the cookie away."""
        session.clear()
        return redirect(LOGIN, 303)


def keep_sessions(app: Flask, settings: Settings) -> None:
    """Sign the cookies of this app, and say how browsers have to treat them."""
    app.secret_key = session_key(settings)
    app.session_interface = _Sessions()
    app.config.update(
        SESSION_COOKIE_NAME=COOKIE,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=settings.session_s),
    )


def session_key(settings: Settings) -> bytes:
    """What signs cookies. Never made from the hashes of tokens, which are no secret."""
    secret = settings.session_secret or settings.token
    given = secret.get_secret_value().encode() if secret else _RANDOM_SECRET
    return hashlib.sha256(b"inspector session key" + given).digest()


class _Sessions(SecureCookieSessionInterface):
    """Cookies that only travel encrypted where the login did; behind a proxy that is what the proxy says."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure or request.headers.get("X-Forwarded-Proto") == "https"


def _page(status: int) -> Response:
    response = make_response(render_template("login.html", next=_next(), refused=status != 200), status)
    response.headers["Cache-Control"] = "no-store"
    return response


def _next() -> str:
    """Where to go on to: an address of ours, whatever the parameter says."""
    wanted = request.values.get("next", "/")
    return wanted if is_own_address(wanted) else "/"


def is_own_address(address: str) -> bool:
    """Whether a browser that is sent there stays here. Browsers take `\\` for `/`, and skip line breaks."""
    return address.startswith("/") and address[1:2] != "/" and address.isprintable() and "\\" not in address
