"""Keys in addresses: any key that S3 may hold, read from and written into a URL without loss.

`/status/<key>` takes the path as it stands: slashes at the front, at the end and in rows are part of the key,
and `%2F` is a slash, as in S3's own addresses. `/status?key=` exists for what clients would rewrite on the
way: browsers and curl resolve the segments `.` and `..`, percent-encoded or not.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode

from werkzeug.routing import BaseConverter, Map

from inspector.api.problems import Problem

MAX_KEY_BYTES: Final = 1024  # S3's own limit, in UTF-8


class KeyConverter(BaseConverter):
    """Matches all the rest of a path, line breaks and slashes included."""

    regex = r"[\s\S]*"
    part_isolating = False
    weight = 1000

    def to_url(self, value: Any) -> str:
        return quote(value, safe="/")


def accept_keys(url_map: Map) -> None:
    """Let `<s3key:…>` stand in the rules, and no slash be merged on the way to it."""
    url_map.merge_slashes = False
    url_map.converters["s3key"] = KeyConverter


def key_from_path(path_info: str, prefix: str) -> str:
    """The key behind `prefix` in a WSGI PATH_INFO. Raises Problem (400) if it is no UTF-8.

    Routing takes slashes in front of the whole path for one.
    """
    try:
        path = "/" + path_info.encode("latin-1").decode().lstrip("/")
        return path.removeprefix(prefix)
    except UnicodeError as exc:
        raise _bad_key() from exc


def key_from_query(query: bytes) -> str | None:
    """The key in a query string; None if there is none. Raises Problem (400) if it is empty or no UTF-8."""
    try:
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="strict")
    except ValueError as exc:  # UnicodeDecodeError is one
        raise _bad_key() from exc
    key = dict(reversed(pairs)).get("key")
    if key == "":
        raise Problem(400, "bad-key", "The key is empty.")
    return key


def key_address(key: str, under: str = "/status") -> str:
    """The address (path and query) of a key's status, one that no client rewrites on the way.

    under: where else the same key may be asked for.
    """
    if not key or {".", ".."} & set(key.split("/")):
        return f"{under}?key=" + quote(key, safe="/")
    return f"{under}/" + quote(key, safe="/")


def video_address(key: str) -> str:
    """The address of the page of a video."""
    return key_address(key, "/video")


def compare_address(one: str, other: str) -> str:
    """The address of the page that compares two videos."""
    return "/compare?" + urlencode({"a": one, "b": other}, safe="/", quote_via=quote)


def storable(key: str) -> bool:
    """Whether a video can have this key: S3 limits its length, and PostgreSQL's text holds no NUL."""
    return 1 <= len(key.encode()) <= MAX_KEY_BYTES and "\0" not in key


def _bad_key() -> Problem:
    return Problem(400, "bad-key", "The key is not valid UTF-8 after percent-decoding.")
