"""The index of landmarks in PostgreSQL answers what it is asked, and no more than that."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from inspector.model import MOST_CHECKED_BITS, Landmarks, Library, Postings
from inspector.store import Database, landmarks

ME = 1


def marks(*rows: tuple[int, int, int]) -> Landmarks:
    """Landmarks of (token, time in ms, checked bits)."""
    tokens, times_ms, checks = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Landmarks(tokens, times_ms, checks.astype(np.uint32))


def store(
    db: Database, content_id: int, *rows: tuple[int, int, int], library: Library = Library.BUCKET
) -> None:
    with db.begin() as tx:
        landmarks.replace(tx, library, content_id, marks(*rows))


def ask(
    db: Database,
    *rows: tuple[int, int, int],
    library: Library = Library.BUCKET,
    among: list[int] | None = None,
) -> list[tuple[int, ...]]:
    """(token, time here, content, time there) of all postings found, in order."""
    with db.begin() as tx:
        found: Postings = landmarks.look_up(tx, library, ME, marks(*rows), among=among)
    columns = (found.tokens, found.query_times_ms, found.content_ids, found.times_ms)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


def test_equal_tokens_are_found_with_their_times_on_both_sides(database: Database) -> None:
    store(database, 2, (7, 1000, 0), (8, 2000, 0))
    store(database, 3, (7, 5000, 0))
    assert ask(database, (7, 100, 0), (9, 200, 0)) == [(7, 100, 2, 1000), (7, 100, 3, 5000)]


def test_a_token_is_found_only_where_its_checked_bits_are_alike(database: Database) -> None:
    alike, other = (1 << MOST_CHECKED_BITS) - 1, (1 << MOST_CHECKED_BITS + 1) - 1
    store(database, 2, (7, 0, alike), (7, 1, other), (7, 2, 2**32 - 1))
    assert ask(database, (7, 0, 0)) == [(7, 0, 2, 0)]
    assert ask(database, (7, 0, 2**32 - 1)) == [(7, 0, 2, 2)]


def test_what_stands_at_several_places_of_the_query_meets_them_all_by_their_own_bits(
    database: Database,
) -> None:
    far = 2**32 - 1
    store(database, 2, (7, 1000, 0), (7, 2000, far), (8, 3000, 0))
    asked = [(8, 400, 0), (7, 100, 0), (7, 200, far), (7, 300, 0)]
    alike = [(7, 100, 2, 1000), (7, 200, 2, 2000), (7, 300, 2, 1000), (8, 400, 2, 3000)]
    assert ask(database, *asked) == alike


def test_one_content_is_asked_about_the_others_only(database: Database) -> None:
    store(database, ME, (7, 0, 0))
    store(database, 2, (7, 0, 0))
    store(database, 3, (7, 0, 0))
    assert [row[2] for row in ask(database, (7, 0, 0))] == [2, 3]
    assert [row[2] for row in ask(database, (7, 0, 0), among=[ME, 3])] == [3]
    assert ask(database, (7, 0, 0), among=[]) == []


def test_libraries_never_meet(database: Database) -> None:
    store(database, 2, (7, 0, 0))
    store(database, 3, (7, 0, 0), library=Library.SCAN)
    assert [row[2] for row in ask(database, (7, 0, 0))] == [2]
    assert [row[2] for row in ask(database, (7, 0, 0), library=Library.SCAN)] == [3]


def test_what_very_many_have_in_common_is_read_up_to_a_limit(database: Database) -> None:
    with database.begin() as tx:
        tx.execute(
            text(
                "INSERT INTO landmarks (token, content_id, time_ms, checked) "
                "SELECT 7, 1000 + n, 0, 0 FROM generate_series(1, 2000) n"
            )
        )
    store(database, 2, (8, 0, 0))
    found = ask(database, (7, 0, 0), (8, 0, 0))
    assert len(found) == landmarks.MOST_ROWS + 1
    assert (8, 0, 2, 0) in found


def test_which_rows_are_read_depends_on_what_they_hold_and_not_on_who_came_first(database: Database) -> None:
    rows = [(content, content % 11) for content in range(2, 2 + 3 * landmarks.MOST_ROWS)]
    read = []
    for arrived in (rows, rows[::-1]):
        for content, checked in arrived:
            store(database, content, (7, 0, 2 * checked + 1))
        read.append(sorted(row[2] % 11 for row in ask(database, (7, 0, 0))))
        for content, _ in arrived:
            store(database, content)
    assert read[0] == read[1]


def test_a_long_query_is_asked_in_pieces(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(token, 10 * token, 0) for token in range(1, 12)]
    store(database, 2, *rows)
    whole = ask(database, *reversed(rows))
    monkeypatch.setattr(landmarks, "TOKENS_AT_ONCE", 3)
    assert ask(database, *reversed(rows)) == whole == [(t, ms, 2, ms) for t, ms, _ in rows]


def test_new_landmarks_replace_those_of_this_content_and_touch_no_other_row(database: Database) -> None:
    store(database, 2, (7, 0, 0), (8, 0, 0))
    store(database, 3, (7, 0, 0))
    before = _places(database, 3)
    store(database, 2, (9, 0, 0))
    assert ask(database, (7, 0, 0), (8, 0, 0), (9, 0, 0)) == [(7, 0, 3, 0), (9, 0, 2, 0)]
    assert _places(database, 3) == before


def _places(db: Database, content_id: int) -> list[tuple[str, int]]:
    """Where the rows of a content lie, and which transaction wrote them."""
    question = text("SELECT CAST(ctid AS text), CAST(xmin AS text) FROM landmarks WHERE content_id = :id")
    with db.begin() as tx:
        return [(ctid, int(xmin)) for ctid, xmin in tx.execute(question, {"id": content_id})]


def test_no_landmarks_no_postings(database: Database) -> None:
    store(database, 2)
    assert ask(database) == []
