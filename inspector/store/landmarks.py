"""The inverted index: from a landmark's token to the contents, and times, where it occurs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
from sqlalchemy import text
from sqlalchemy.orm import Session

from inspector.model import Landmarks, Library, Postings

_INSERT: Final = text(
    """
    INSERT INTO landmarks (token, content_id, time_ms, library)
    SELECT token, :content_id, time_ms, :library
    FROM unnest(CAST(:tokens AS bigint[]), CAST(:times_ms AS integer[])) AS new (token, time_ms)
    """
)

#: Set intersection of the query's tokens with the index.
LOOK_UP: Final = text(
    """
    SELECT query.token, query.time_ms, landmarks.content_id, landmarks.time_ms
    FROM unnest(CAST(:tokens AS bigint[]), CAST(:times_ms AS integer[])) AS query (token, time_ms)
    JOIN landmarks ON landmarks.token = query.token AND landmarks.library = :library
    WHERE landmarks.content_id <> :content_id
      AND (CAST(:among AS bigint[]) IS NULL OR landmarks.content_id = ANY(CAST(:among AS bigint[])))
    """
)

# One index probe per token, always: what the planner guesses of the size of an unnested array must not
# turn the look-up into a scan of the table.
_PROBE_ONLY: Final = [
    text(f"SET LOCAL {option} = off") for option in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")
]


def replace(tx: Session, library: Library, content_id: int, landmarks: Landmarks) -> None:
    """Make these the landmarks of a content, instead of any it had."""
    tx.execute(text("DELETE FROM landmarks WHERE content_id = :content_id"), {"content_id": content_id})
    tx.execute(_INSERT, _parameters(library, content_id, landmarks))


def look_up(
    tx: Session,
    library: Library,
    content_id: int,
    query: Landmarks,
    *,
    among: Collection[int] | None = None,
) -> Postings:
    """Where the query's tokens occur in the other contents of the library; one row an occurrence.

    among: only these contents, if given.
    """
    force_index(tx)
    parameters = {**_parameters(library, content_id, query), "among": None if among is None else list(among)}
    rows = tx.execute(LOOK_UP, parameters).all()
    table = np.array([tuple(row) for row in rows], dtype=np.int64).reshape(-1, 4)
    tokens, query_times_ms, content_ids, times_ms = table.T.copy()
    return Postings(tokens, query_times_ms, content_ids, times_ms)


def explain(tx: Session, library: Library, content_id: int, query: Landmarks) -> str:
    """PostgreSQL's plan for this look-up."""
    force_index(tx)
    parameters = {**_parameters(library, content_id, query), "among": None}
    lines = tx.execute(text(f"EXPLAIN {LOOK_UP.text}"), parameters).scalars()
    return "\n".join(lines)


def force_index(tx: Session) -> None:
    """Let the rest of this transaction use indexes only."""
    for statement in _PROBE_ONLY:
        tx.execute(statement)


def _parameters(library: Library, content_id: int, landmarks: Landmarks) -> dict[str, object]:
    return {
        "library": int(library),
        "content_id": content_id,
        "tokens": landmarks.tokens.tolist(),
        "times_ms": landmarks.times_ms.tolist(),
    }
