"""Tokens and what they permit.

Settings hold the SHA-256 of a token, never the token: whoever reads them gains nothing. One plain hash is
enough, because a token is 256 random bits; salt and slowness protect passwords, which can be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from inspector.settings import Settings

PREFIX: Final = "insp_"  # lets scanners for secrets find a token that was published by mistake


class Role(StrEnum):
    """What a caller may do: `read`, or everything."""

    READ = "read"
    ADMIN = "admin"

    def covers(self, needed: Role) -> bool:
        """Whether this role permits what `needed` does."""
        return needed is Role.READ or self is Role.ADMIN


@dataclass(frozen=True, slots=True)
class Known:
    """A token that is valid now. name: what cookies and counts call it; it leads back to nothing."""

    name: str
    role: Role


class Tokens:
    """The tokens that are valid. Several at once, so that a new one is handed out before an old one goes."""

    def __init__(self, *, admin: tuple[str, ...] = (), read: tuple[str, ...] = ()) -> None:
        """Both are SHA-256 hashes in hexadecimal; one that is in both permits everything."""
        roles = {**dict.fromkeys(read, Role.READ), **dict.fromkeys(admin, Role.ADMIN)}
        self._known = {digest: Known(_name(digest), role) for digest, role in roles.items()}

    @classmethod
    def of(cls, settings: Settings) -> Tokens:
        """Those that the settings name, the plain one among them."""
        plain = (hash_token(settings.token.get_secret_value().encode()),) if settings.token else ()
        return cls(admin=(*settings.admin_tokens, *plain), read=settings.read_tokens)

    def __bool__(self) -> bool:
        return bool(self._known)

    def by_token(self, token: bytes) -> Known | None:
        """Takes as long for a token that is nearly right as for any other."""
        given, found = hash_token(token), None
        for digest, known in self._known.items():
            if hmac.compare_digest(digest, given):
                found = known
        return found

    def by_name(self, name: object) -> Known | None:
        """The token that a signed cookie names, if it is still valid."""
        return next((known for known in self._known.values() if known.name == name), None)


def make_token() -> str:
    """A new token, of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_token(token: bytes) -> str:
    """What the settings keep of a token."""
    return hashlib.sha256(token).hexdigest()


def _name(digest: str) -> str:
    return hashlib.sha256(b"inspector token name" + digest.encode()).hexdigest()[:16]
