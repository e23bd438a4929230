"""What was found, free of all that may differ between two runs: who came first, when, and how often."""

from __future__ import annotations

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
    kept["duplicates"] = sorted(document["duplicates"], key=lambda other: str(other["key"]))
    return kept


def differences(found: Results, expected: Results) -> list[str]:
    """What is not as it should be, in words."""
    faults = [f"{key}: lost" for key in expected.keys() - found.keys()]
    faults += [f"{key}: should not be there" for key in found.keys() - expected.keys()]
    for key in found.keys() & expected.keys():
        faults += [
            f"{key}: {name} is {found[key].get(name)!r}, should be {expected[key].get(name)!r}"
            for name in sorted(found[key].keys() | expected[key].keys())
            if found[key].get(name) != expected[key].get(name)
        ]
    return faults


def stored_twice(house: House) -> list[str]:
    """Rows that stand for the same thing; the database's own constraints are not relied on."""
    queries = {
        "videos": "SELECT key FROM videos GROUP BY bucket, key HAVING count(*) > 1",
        "contents": "SELECT encode(sha256, 'hex') FROM contents GROUP BY library, sha256 HAVING count(*) > 1",
        "matches": "SELECT least(content_a, content_b)::text FROM matches "
        "GROUP BY least(content_a, content_b), greatest(content_a, content_b) HAVING count(*) > 1",
        "landmarks": "SELECT content_id::text FROM landmarks "
        "GROUP BY content_id, token, time_ms, library HAVING count(*) > 1",
    }
    with house.db.begin() as tx:
        return [f"{table}: {row}" for table, query in queries.items() for row in tx.scalars(text(query))]


def left_over(house: House) -> list[Path]:
    """Files in the scratch folder."""
    return [path for path in house.scratch.glob("**/*") if path.name != "filler"]


def connections(house: House) -> int:
    """Connections of the inspector to the database."""
    query = (
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE application_name = 'inspector' AND pid <> pg_backend_pid()"
    )
    with house.db.begin() as tx:
        return int(tx.scalar(text(query)) or 0)
