"""How long the server needs for the library of many videos: `python -m benchmarks.pages [COUNT]`.

Fills a database of its own with COUNT (10,000) inspected videos, of which every second one has a duplicate,
and asks for pages of 50 in one process.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Final

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from inspector.model import ALGORITHM, MediaInfo, Segment
from inspector.stack import embedded_postgres
from inspector.store import Database, migrate
from inspector.wiring.web import make_app
from tests.services import settings_for_test

REPEATED: Final = 21
ADDRESSES: Final = (
    "/",
    "/?before=5000",
    "/?q=film-42",
    "/?verdict=duplicate",
    "/?verdict=none",
    "/?verdict=partial",
)
_MEDIA: Final = MediaInfo("mov", 60.0, 0.0, "h264", 0, 640, 360, 0, 25.0, False, 1000)
_SEGMENT: Final = Segment(0.0, 60.0, 0.0, 60.0, 0.99)
_FILL: Final = (
    """INSERT INTO contents
           (library, sha256, media, algorithm, duration_s, truncated, cuts_s, samples, searched)
       SELECT 0, decode(md5(n::text) || md5('x' || n), 'hex'), CAST(:media AS jsonb), :algorithm, 60, false,
           ARRAY[1, 2, 3, 5, 8, 13, 21, 34], repeat('x', 4000)::bytea, true
       FROM generate_series(1, :count) AS n""",
    """INSERT INTO videos
           (bucket, key, name, etag, size_bytes, last_modified, content_id, state, finished_at)
       SELECT 'videos', 'folder/film-' || id || '.mp4', 'film-' || id || '.mp4', 'e', 1000, now(), id, 'done',
           now()
       FROM contents""",
    """INSERT INTO matches (content_a, content_b, algorithm, score, speed, verdict, segments, evidence)
       SELECT id, id + 1, :algorithm, 0.99, 1, 'duplicate', CAST(:segments AS jsonb), '{}'
       FROM contents WHERE id % 2 = 1 AND id < :count""",
    "UPDATE matches SET verdict = 'partial' WHERE content_a <= 40",
    "ANALYZE",
)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with library(count) as (_, app):
        client = app.test_client()
        print(f"{count:,} videos; milliseconds, median and worst of {REPEATED}")
        for address in ADDRESSES:
            measure(address, lambda address=address: ask(client, address))  # type: ignore[misc]


@contextmanager
def library(count: int) -> Iterator[tuple[Database, Flask]]:
    """A database of so many videos, and the web application that shows them."""
    with tempfile.TemporaryDirectory(prefix="inspector-pages-") as folder:
        Path(folder).chmod(0o711)
        with embedded_postgres(Path(folder)) as url:
            db = Database(url)
            migrate(db)
            fill(db, count)
            settings = settings_for_test(
                database_url=url, aws_endpoint_url="http://127.0.0.1:1", data_dir=Path(folder), rate_limit=0
            )
            yield db, make_app(settings)
            db.close()


def fill(db: Database, count: int) -> None:
    values = {
        "count": count,
        "algorithm": ALGORITHM,
        "media": json.dumps(asdict(_MEDIA)),
        "segments": json.dumps([asdict(_SEGMENT)]),
    }
    with db.begin() as tx:
        for statement in _FILL:
            used = {name: value for name, value in values.items() if f":{name}" in statement}
            tx.execute(text(statement), used)


def ask(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    if answer.status_code != 200:
        sys.exit(f"{address} is answered with {answer.status_code}")


def measure(name: str, once: Callable[[], None]) -> None:
    took = []
    for _ in range(REPEATED):
        began = time.perf_counter()
        once()
        took.append(1000 * (time.perf_counter() - began))
    print(f"{name:24} {statistics.median(took):8.1f} {max(took):8.1f}")


if __name__ == "__main__":
    main()
