"""Tokens: what they permit, and how little their hashes say."""

from __future__ import annotations

import math
import string

from inspector.api.tokens import PREFIX, Role, Tokens, hash_token, make_token


def test_a_token_is_long_random_and_easy_to_recognise() -> None:
    tokens = {make_token() for _ in range(100)}
    assert len(tokens) == 100
    for token in tokens:
        assert token.startswith(PREFIX)
        rest = token.removeprefix(PREFIX)
        assert set(rest) <= set(string.ascii_letters + string.digits + "-_")
        assert len(rest) * math.log2(64) >= 256


def test_a_token_in_both_lists_permits_everything() -> None:
    digest = hash_token(b"x")
    known = Tokens(admin=(digest,), read=(digest,)).by_token(b"x")
    assert known is not None
    assert known.role is Role.ADMIN


def test_names_lead_to_their_tokens_only_while_these_are_valid() -> None:
    tokens = Tokens(read=(hash_token(b"x"), hash_token(b"y")))
    known = tokens.by_token(b"x")
    assert known is not None
    assert tokens.by_name(known.name) == known
    assert Tokens(read=(hash_token(b"y"),)).by_name(known.name) is None
    assert tokens.by_name(None) is None


def test_roles() -> None:
    assert [Role.ADMIN.covers(Role.READ), Role.ADMIN.covers(Role.ADMIN)] == [True, True]
    assert [Role.READ.covers(Role.READ), Role.READ.covers(Role.ADMIN)] == [True, False]
