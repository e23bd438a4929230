"""The inverted index: from a landmark's token to the contents, and times, where it occurs.

A posting is a row of four 32-bit numbers. The token of a scan's library is made negative, so the libraries
never meet and cost no column.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from inspector.model import MOST_CHECKED_BITS, IntArray, Landmarks, Library, Postings

#: No more rows are read for one token of a query: what more contents have in common (a channel's intro, a
#: test card) says little, and would otherwise take as long as there are contents. Which rows depends on their
#: checked bits, not on who came first.
MOST_ROWS: Final = 30
#: Tokens asked for in one statement; a longer query is asked in pieces, which bounds the memory.
TOKENS_AT_ONCE: Final = 50_000

_INSERT: Final = text(
    """
    INSERT INTO landmarks (token, content_id, time_ms, checked)
    SELECT token, :content_id, time_ms, checked
    FROM unnest(CAST(:tokens AS integer[]), CAST(:times_ms AS integer[]), CAST(:checks AS integer[]))
        AS new (token, time_ms, checked)
    """
)

#: Set intersection of the query's tokens with the index: one probe per token, then the check of further bits.
#: The answer is one string of bytes, three numbers a posting; rows would take longer to fetch than to find.
LOOK_UP: Final = text(
    """
    SELECT string_agg(int4send(CAST(query.place AS integer)) || int4send(content_id) || int4send(time_ms), '')
    FROM unnest(CAST(:tokens AS integer[]), CAST(:checks AS integer[]))
        WITH ORDINALITY AS query (token, checked, place)
    CROSS JOIN LATERAL (
        SELECT content_id, time_ms, checked
        FROM landmarks
        WHERE landmarks.token = query.token
          AND content_id <> :content_id
          AND (CAST(:among AS integer[]) IS NULL OR content_id = ANY(CAST(:among AS integer[])))
        ORDER BY checked
        LIMIT :most_rows
    ) AS found
    WHERE bit_count(CAST(found.checked # query.checked AS bit(32))) <= :most_bits
    """
)

# The planner guesses the size of an unnested array, and must not turn the look-up into a scan of the table,
# nor compile it first.
_PROBE_ONLY: Final = text(
    "SELECT "
    + ", ".join(
        f"set_config('{option}', 'off', true)"
        for option in ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin", "jit")
    )
)


def replace(tx: Session, library: Library, content_id: int, landmarks: Landmarks) -> None:
    """Make these the landmarks of a content, instead of any it had."""
    tx.execute(text("DELETE FROM landmarks WHERE content_id = :content_id"), {"content_id": content_id})
    times_ms = _array(landmarks.times_ms.tolist())
    parameters = {"content_id": content_id, "times_ms": times_ms, **_tokens(library, landmarks)}
    tx.execute(_INSERT, parameters)


def look_up(
    tx: Session,
    library: Library,
    content_id: int,
    query: Landmarks,
    *,
    among: Collection[int] | None = None,
) -> Postings:
    """Where the query's tokens occur in the other contents of the library, if their checked bits are alike.

    At most `MOST_ROWS` occurrences of each token are looked at.  among: only these contents, if given.
    """
    probe_only(tx)
    order = np.argsort(query.tokens, kind="stable")  # neighbours in the index share its pages
    query = Landmarks(query.tokens[order], query.times_ms[order], query.checks[order])
    pieces = [
        _look_up(tx, look_up_parameters(library, content_id, query, start, among), start)
        for start in range(0, len(order), TOKENS_AT_ONCE)
    ]
    place, content_ids, times_ms = np.concatenate([np.zeros((0, 3), np.int64), *pieces]).T
    return Postings(query.tokens[place], query.times_ms[place], content_ids, times_ms)


def _look_up(tx: Session, parameters: dict[str, object], start: int) -> IntArray:
    """(n, 3): places in the query, counted from `start`; content ids; times (ms)."""
    answer = tx.execute(LOOK_UP, parameters).scalar_one()
    rows = np.frombuffer(answer or b"", dtype=">i4").astype(np.int64).reshape(-1, 3)
    rows[:, 0] += start - 1  # PostgreSQL counts from 1
    return rows


def look_up_parameters(
    library: Library, content_id: int, query: Landmarks, start: int = 0, among: Collection[int] | None = None
) -> dict[str, object]:
    """What `LOOK_UP` needs to ask for the tokens from `start` on."""
    piece = slice(start, start + TOKENS_AT_ONCE)
    asked = Landmarks(query.tokens[piece], query.times_ms[piece], query.checks[piece])
    return {
        "content_id": content_id,
        "among": None if among is None else _array(list(among)),
        "most_rows": MOST_ROWS,
        "most_bits": MOST_CHECKED_BITS,
        **_tokens(library, asked),
    }


def probe_only(tx: Session) -> None:
    """Let the rest of this transaction use indexes only."""
    tx.execute(_PROBE_ONLY)


def _tokens(library: Library, landmarks: Landmarks) -> dict[str, object]:
    below_zero = 2**31 if library is Library.SCAN else 0
    return {
        "tokens": _array((landmarks.tokens - below_zero).tolist()),
        "checks": _array(landmarks.checks.view(np.int32).tolist()),
    }


def _array(numbers: Sequence[int]) -> str:
    """As PostgreSQL reads it; a parameter of thousands of numbers is parsed quickest so."""
    return "{" + ",".join(map(str, numbers)) + "}"
