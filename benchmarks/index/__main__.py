"""How the index grows, with synthetic films of five minutes: `python -m benchmarks.index CLIPS…`.

CLIPS are videos from which the statistics are taken (see `films`); what is shown is made up. For each number
of films in the index it prints the size of the postings, the time it takes to add one film, the time of the
look-up of a film (query, answer and votes), and how many planted copies are among the candidates. The first
number of films is also measured with other ways to store the same postings (see `schemes`).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from sqlalchemy import create_engine, text

from benchmarks.index.blocks import Blocks
from benchmarks.index.films import DURATION_S, Footage, make_copy, make_film, make_footage
from benchmarks.index.schemes import (
    GIN,
    SCHEMES,
    Scheme,
    create,
    create_indexes,
    drop_indexes,
    load,
    look_up,
    size_bytes,
    using,
)
from inspector.matching import find_candidates, make_landmarks, query_landmarks
from inspector.model import Fingerprint, Landmarks, Library
from inspector.settings import load_settings
from inspector.stack import embedded_postgres
from inspector.store import Database, landmarks
from inspector.worker.inspect import examine

BATCH: Final = 1000  # films loaded together
POOL: Final = 2000  # films made from scratch; the rest is made of their blocks
REPEATS: Final = 3  # of each look-up; the quickest counts
LOST: Final = 10**9  # the rank of what is no candidate
REBUILT: Final = 20_000  # where so many films are added, the indexes are made anew afterwards
SOURCES: Final = 10**6  # seed of the first film that is copied
STRANGERS: Final = 2 * 10**6  # seed of the first film that is in no index
#: What loads quicker, and a cache that holds the index; nothing a look-up's plan depends on.
SERVER: Final = {
    "shared_buffers": "'{cache_mb}MB'",
    "max_wal_size": "'16GB'",
    "checkpoint_timeout": "'1h'",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "fsync": "off",
    "autovacuum": "off",
    "maintenance_work_mem": "'1GB'",
}


def main() -> None:
    options = _options()
    footage = make_footage([_fingerprint(path, options.data) for path in options.clips])
    pool = Blocks([make_landmarks(make_film(footage, n)) for n in range(min(POOL, max(options.films)))])
    prepare_server(options.data, options.cache_mb)
    with embedded_postgres(options.data) as url, closing(Database(url)) as db:
        print(
            "scheme      films  postings/s  KB/hour  add ms  look-up ms: p50   p90   p99  most"
            "    rows  candidates  found  in 50"
        )
        for name in options.schemes:
            grow(db, SCHEMES[name], footage, pool, options)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP")
    parser.add_argument("--films", nargs="+", type=int, default=[1_000, 10_000, 100_000])
    parser.add_argument("--schemes", nargs="+", default=["covering"], choices=SCHEMES)
    parser.add_argument("--queries", type=int, default=200, help="half of them copies")
    parser.add_argument("--data", type=Path, default=Path("data/bench-index"), help="folder of the database")
    parser.add_argument("--cache-mb", type=int, default=4096, help="PostgreSQL's shared_buffers")
    return parser.parse_args()


def _fingerprint(path: Path, data: Path) -> Fingerprint:
    print(f"looking at {path.name} …", end="\r", flush=True)
    settings = load_settings(data_dir=data)
    return examine(
        path, settings, recall=lambda essence: None, cancelled=lambda: False, on_progress=lambda _: None
    )[1]


def prepare_server(data: Path, cache_mb: int) -> None:
    """Write the server's settings, which hold from its next start on."""
    with embedded_postgres(data) as url, create_engine(url, isolation_level="AUTOCOMMIT").connect() as server:
        for name, value in SERVER.items():
            server.execute(text(f"ALTER SYSTEM SET {name} = {value.format(cache_mb=cache_mb)}"))
        server.engine.dispose()


def grow(db: Database, scheme: Scheme, footage: Footage, pool: Blocks, options: argparse.Namespace) -> None:
    """Fill the index of a scheme step by step, and measure it at every step."""
    create(db, scheme)
    present = postings = 0
    for films in sorted(options.films):
        rebuild = films - present >= REBUILT
        if rebuild:
            with using(db, scheme) as tx:
                drop_indexes(tx)
        for start in range(present, films, BATCH):
            batch = [
                _film(footage, pool, n, options.queries) for n in range(start, min(start + BATCH, films))
            ]
            postings += sum(len(own.tokens) for _, own in batch)
            with using(db, scheme) as tx:
                load(tx, scheme, batch)
        if rebuild:
            with using(db, scheme) as tx:
                create_indexes(tx, scheme)
        present = films
        _vacuum(db, scheme)
        _report(db, scheme, footage, present, postings, options.queries)


def _film(footage: Footage, pool: Blocks, number: int, queries: int) -> tuple[int, Landmarks]:
    """The landmarks of one film; the first ones, which queries will copy, share no block with others."""
    if number < queries // 2:
        return number, make_landmarks(make_film(footage, SOURCES + number))
    return number, pool.draw(number)


def _vacuum(db: Database, scheme: Scheme) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text(f"VACUUM ANALYZE {scheme.name}.landmarks"))


def _report(db: Database, scheme: Scheme, footage: Footage, films: int, postings: int, queries: int) -> None:
    with using(db, scheme) as tx:
        kilobytes = size_bytes(tx) / 1000
    hours = films * DURATION_S / 3600
    answers = [_ask(db, scheme, question) for question in _questions(footage, films, queries)]
    took = [answer.ms for answer in answers]
    ranks = np.array([answer.rank for answer in answers if answer.source is not None])
    times = "".join(f"{np.percentile(took, q):6.1f}" for q in (50, 90, 99, 100))
    print(
        f"{scheme.name:<9}{films:8}  {postings / hours / 3600:10.2f}  {kilobytes / hours:7.0f}"
        f"  {_time_to_add(db, scheme, footage):6.1f}            {times}"
        f"  {np.mean([answer.rows for answer in answers]):6.0f}"
        f"  {np.mean([answer.candidates for answer in answers]):10.0f}"
        f"  {np.mean(ranks < LOST):.3f}  {np.mean(ranks < 50):.3f}",
        flush=True,
    )


class Question(NamedTuple):
    """A query, and the content it copies, if it does."""

    landmarks: Landmarks
    source: int | None


def _questions(footage: Footage, films: int, count: int) -> Iterator[Question]:
    """Copies of films in the index, and as many strangers, in turns."""
    for k in range(count // 2):
        source = k
        copy = make_copy(footage, make_film(footage, SOURCES + source), STRANGERS + 2 * k)
        yield Question(query_landmarks(copy), source)
        yield Question(query_landmarks(make_film(footage, STRANGERS + 2 * k + 1)), None)


class Answer(NamedTuple):
    """What a look-up cost (ms of computing), what it brought, and the source's place among the candidates."""

    ms: float
    rows: int
    candidates: int
    source: int | None
    rank: int


def _ask(db: Database, scheme: Scheme, question: Question) -> Answer:
    took = []
    for _ in range(REPEATS):
        with using(db, scheme) as tx:
            server = int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())
            start = _computed_s(server)
            postings = look_up(tx, scheme, question.landmarks)
            candidates = find_candidates(postings)
            took.append(_computed_s(server) - start)
    ids = [candidate.content_id for candidate in candidates]
    rank = ids.index(question.source) if question.source in ids else LOST
    return Answer(min(took) * 1000, len(postings.tokens), len(ids), question.source, rank)


def _computed_s(server: int) -> float:
    """Seconds of computing so far, ours and those of the server's process (Linux): what a look-up takes where
    nobody else uses the machine, as long as the index is in memory.
    """
    return time.process_time() + int(Path(f"/proc/{server}/schedstat").read_text().split()[0]) / 1e9


def _time_to_add(db: Database, scheme: Scheme, footage: Footage, count: int = 20) -> float:
    """Median milliseconds to store the landmarks of one more film; they are taken out again."""
    fresh = [make_landmarks(make_film(footage, STRANGERS + 10**5 + k)) for k in range(count)]
    took = [_add(db, scheme, STRANGERS + k, own) for k, own in enumerate(fresh)]
    with using(db, scheme) as tx:
        tx.execute(text("DELETE FROM landmarks WHERE content_id >= :first"), {"first": STRANGERS})
    return float(np.median(took)) * 1000


def _add(db: Database, scheme: Scheme, number: int, own: Landmarks) -> float:
    """Seconds it took to add this film."""
    with using(db, scheme) as tx:
        server = int(tx.execute(text("SELECT pg_backend_pid()")).scalar_one())
        start = _computed_s(server)
        if scheme is GIN:
            load(tx, scheme, [(number, own)])
        else:
            landmarks.replace(tx, Library.BUCKET, number, own)
        return _computed_s(server) - start


if __name__ == "__main__":
    main()
