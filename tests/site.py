"""The whole inspector for tests of its pages: bucket, queue, database, web server and worker, all real."""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from inspector.model import VideoStatus
from inspector.store import Database
from inspector.store.status import StatusReader
from inspector.wiring.bootstrap import run_bootstrap
from tests.services import Endpoint, Places, free_port, places_at, running, wait_until


@dataclass(frozen=True, slots=True)
class Site:
    """Where the pages are, and what stands behind them."""

    url: str
    places: Places
    db: Database

    def drop(self, path: Path, key: str | None = None) -> None:
        """Put a file into the bucket; the rest happens by itself."""
        self.places.bucket.upload(path, key or path.name)

    def inspected(self, *keys: str) -> list[VideoStatus]:
        """Wait until these videos are final."""
        reader = StatusReader(self.db, min_score=0.5)

        def final(key: str) -> VideoStatus | None:
            found = reader.by_key(self.places.bucket.name, key)
            return found if found is not None and found.state.final else None

        return [wait_until(lambda key=key: final(key)) for key in keys]  # type: ignore[misc]


@contextmanager
def open_site(endpoint: Endpoint, db: Database, folder: Path) -> Iterator[Site]:
    """A bucket and a queue of its own, served until the end of the block."""
    port = free_port()
    places = places_at(
        endpoint,
        folder,
        port=port,
        database_url=db.url,
        poll_wait_s=1,
        worker_metrics_port=0,
        workers=1,
        log_format="json",
    )
    assert run_bootstrap(places.settings).ok
    environment = {**places.settings.as_environment(), "INSPECTOR_DATABASE_URL": db.url}
    inspector = (sys.executable, "-m", "inspector")
    with (
        running((*inspector, "serve"), environment, folder / "web.log") as web,
        running((*inspector, "work"), environment, folder / "worker.log"),
    ):
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(f"{url}/livez"), web)
        yield Site(url, places, db)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - ours
            return bool(answer.status == 200)
    except OSError:
        return False
