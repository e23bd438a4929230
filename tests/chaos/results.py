"""What was found, free of all that may differ between two runs: who came first, when, and how often."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import permutations
from pathlib import Path
from typing import Any, Final

from sqlalchemy import text

from tests.chaos.house import House

#: What a run may not change. Moments, attempts and revisions it may, and the words for a failure.
_LASTING: Final = ("status", "sha256", "size_bytes", "media", "truncated", "scene_cuts", "total_cuts")

Results = dict[str, dict[str, Any]]


def read_results(house: House) -> Results:
    """Every video as `/status` shows it."""
    with house.db.begin() as tx:
        keys = list(tx.scalars(text("SELECT key FROM videos WHERE state <> 'removed' ORDER BY key")))
    return {key: _lasting(house.machine.web.status(key)) for key in keys}


def _lasting(document: dict[str, Any]) -> dict[str, Any]:
    kept = {name: document[name] for name in _LASTING}
    kept["reason"] = (document["error"] or {}).get("reason")
    kept["duplicates"] = {str(other["key"]): other for other in document["duplicates"]}
    return kept


def differences(found: Results, expected: Results) -> list[str]:
    """What is not as it should be, in words: states, reasons, cuts, pairs, segments, scores, evidence."""
    faults = [f"{key}: should not be there" for key in found.keys() - expected.keys()]
    for key in found.keys() & expected.keys():
        mine, theirs = found[key], expected[key]
        faults += [
            f"{key}: {name} is {mine[name]!r}, should be {theirs[name]!r}"
            for name in (*_LASTING, "reason")
            if mine[name] != theirs[name]
        ]
        ours, others = mine["duplicates"], theirs["duplicates"]
        faults += [
            f"{key}: its match with {other} is {ours.get(other)!r}, should be {others.get(other)!r}"
            for other in sorted(ours.keys() | others.keys())
            if ours.get(other) != others.get(other)
        ]
    return faults


def not_found(found: Results, copies: Iterable[tuple[str, str]]) -> list[str]:
    """Pairs of these keys that do not show each other, in words."""
    return [
        f"{key}: its copy {other} is not found"
        for pair in copies
        for key, other in permutations(pair)
        if key in found and other not in found[key]["duplicates"]
    ]


def stored_twice(house: House) -> list[str]:
    """Rows that stand for the same thing; the database's own constraints are not relied on."""
    queries = {
        "videos": "SELECT key FROM videos GROUP BY bucket, key HAVING count(*) > 1",
        "contents": "SELECT encode(sha256, 'hex') FROM contents GROUP BY library, sha256 HAVING count(*) > 1",
        "matches": "SELECT least(content_a, content_b)::text FROM matches "
        "GROUP BY least(content_a, content_b), greatest(content_a, content_b) HAVING count(*) > 1",
        "landmarks": "SELECT content_id::text FROM landmarks "
        "GROUP BY content_id, token, time_ms, checked HAVING count(*) > 1",
    }
    with house.db.begin() as tx:
        return [f"{table}: {row}" for table, query in queries.items() for row in tx.scalars(text(query))]


def left_over(house: House) -> list[Path]:
    """Files in the scratch folder."""
    return [path for path in house.scratch.glob("**/*") if path.name != "filler"]


def left_over_at_rest(house: House, *, patience_s: float) -> list[Path]:
    """The same, once all work has had time to end: thumbnails are made when a job is done already."""
    deadline = time.monotonic() + patience_s
    while (left := left_over(house)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def connections(house: House) -> int:
    """Connections of the inspector to the database."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'inspector' AND pid <> pg_backend_pid()"
    )
    with house.db.begin() as tx:
        return int(tx.scalar(text(query)) or 0)
