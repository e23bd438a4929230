"""Ways to store postings, all asked the same questions on the same data.

covering  what the inspector does: a row a posting, an index on the token that holds all columns
btree     the same without content and time in the index: smaller, and look-ups touch the rows
gin       a row a content, arrays of its tokens, times and checked bits; an inverted index on the tokens
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import numpy as np
from psycopg2 import extensions
from sqlalchemy import text
from sqlalchemy.orm import Session

from inspector.model import Landmarks, Library, Postings
from inspector.store import Database, landmarks

_ROWS: Final = "TABLE landmarks (token int, content_id int, time_ms int, checked int)"


class Scheme(NamedTuple):
    """A schema of its own, with one table `landmarks` and its indexes."""

    name: str
    table: str
    indexes: tuple[str, ...]


_BY_CONTENT: Final = "INDEX by_content ON landmarks (content_id)"
BTREE: Final = Scheme("btree", _ROWS, ("INDEX by_token ON landmarks (token, checked)", _BY_CONTENT))
COVERING: Final = Scheme(
    "covering",
    _ROWS,
    ("INDEX by_token ON landmarks (token, checked) INCLUDE (content_id, time_ms)", _BY_CONTENT),
)
GIN: Final = Scheme(
    "gin",
    "TABLE landmarks (content_id int, tokens int[], times_ms int[], checks int[])",
    ("INDEX by_token ON landmarks USING gin (tokens) WITH (fastupdate = off)", _BY_CONTENT),
)
SCHEMES: Final = {scheme.name: scheme for scheme in (BTREE, COVERING, GIN)}

_ASK_GIN: Final = text(
    """
    SELECT string_agg(int4send(CAST(query.place AS integer)) || int4send(content_id) || int4send(time_ms), '')
    FROM (
        SELECT content_id, posting.*
        FROM landmarks, unnest(tokens, times_ms, checks) AS posting (token, time_ms, checked)
        WHERE tokens && CAST(:tokens AS integer[])
    ) AS found
    JOIN unnest(CAST(:tokens AS integer[]), CAST(:checks AS integer[]))
        WITH ORDINALITY AS query (token, checked, place) USING (token)
    WHERE bit_count(CAST(found.checked # query.checked AS bit(32))) <= :most_bits
    """
)


@contextmanager
def using(db: Database, scheme: Scheme) -> Iterator[Session]:
    """A transaction in which `landmarks` is this scheme's table."""
    with db.begin() as tx:
        tx.execute(text(f"SET LOCAL search_path = {scheme.name}"))
        yield tx


def create(db: Database, scheme: Scheme) -> None:
    with db.begin() as tx:
        tx.execute(text(f"DROP SCHEMA IF EXISTS {scheme.name} CASCADE"))
        tx.execute(text(f"CREATE SCHEMA {scheme.name}"))
    with using(db, scheme) as tx:
        tx.execute(text(f"CREATE UNLOGGED {scheme.table}"))
        create_indexes(tx, scheme)


def create_indexes(tx: Session, scheme: Scheme) -> None:
    tx.execute(text("SET LOCAL statement_timeout = 0"))
    for index in scheme.indexes:
        tx.execute(text(f"CREATE {index}"))


def drop_indexes(tx: Session) -> None:
    tx.execute(text("DROP INDEX by_token, by_content"))


def load(tx: Session, scheme: Scheme, films: Iterable[tuple[int, Landmarks]]) -> None:
    """Add the postings of many contents, (id, landmarks) each, with COPY."""
    with _waiting_as_the_driver_does():  # which alone can COPY
        _copy(tx.connection().connection.cursor(), scheme, films)


@contextmanager
def _waiting_as_the_driver_does() -> Iterator[None]:
    ours = extensions.get_wait_callback()
    extensions.set_wait_callback(None)
    try:
        yield
    finally:
        extensions.set_wait_callback(ours)


def _copy(cursor: Any, scheme: Scheme, films: Iterable[tuple[int, Landmarks]]) -> None:
    if scheme is GIN:
        lines = (
            f"{number}\t{_array(own.tokens)}\t{_array(own.times_ms)}\t{_array(own.checks.view(np.int32))}\n"
            for number, own in films
        )
        cursor.copy_expert("COPY landmarks FROM STDIN", io.StringIO("".join(lines)))
    else:
        packed = b"".join(_binary_rows(number, own) for number, own in films)
        header = b"PGCOPY\n\xff\r\n\0" + bytes(8)
        cursor.copy_expert(
            "COPY landmarks FROM STDIN (FORMAT binary)", io.BytesIO(header + packed + b"\xff\xff")
        )


_BINARY_ROW: Final = np.dtype(
    [("fields", ">i2"), *((name, ">i4") for k in range(4) for name in (f"length{k}", f"value{k}"))]
)


def _binary_rows(number: int, own: Landmarks) -> bytes:
    """Rows as COPY's binary format has them."""
    rows = np.zeros(len(own.tokens), dtype=_BINARY_ROW)
    rows["fields"] = 4
    for k, column in enumerate((own.tokens, number, own.times_ms, own.checks.view(np.int32))):
        rows[f"length{k}"], rows[f"value{k}"] = 4, column
    return rows.tobytes()


def _array(column: np.ndarray[Any, Any]) -> str:
    return "{" + ",".join(map(str, column.tolist())) + "}"


def look_up(tx: Session, scheme: Scheme, query: Landmarks) -> Postings:
    """Where the query's tokens occur."""
    if scheme is not GIN:
        return landmarks.look_up(tx, Library.BUCKET, -1, query)
    parameters = landmarks.look_up_parameters(Library.BUCKET, -1, query)
    answer = tx.execute(_ASK_GIN, parameters).scalar_one()
    place, ids, times_ms = np.frombuffer(answer or b"", dtype=">i4").astype(np.int64).reshape(-1, 3).T
    return Postings(query.tokens[place - 1], query.times_ms[place - 1], ids, times_ms)


def size_bytes(tx: Session) -> int:
    """Table and indexes."""
    size: int = tx.execute(text("SELECT pg_total_relation_size('landmarks')")).scalar_one()
    return size
