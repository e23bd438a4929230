"""How smoothly the library scrolls, and what live updates cost: `python -m benchmarks.scrolling [COUNT]`.

Fills a database of its own with COUNT (10,000) videos, serves it, and scrolls through pages of 50 and 200 in
chromium, at rest and while ten videos a second change. There are at most 60 frames a second; a long task is
one that holds the page for more than 50 ms.
"""

from __future__ import annotations

import logging
import shutil
import statistics
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from flask import Flask
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import text
from werkzeug.serving import make_server

from benchmarks.pages import library
from inspector.api.app import background
from inspector.store import Database

LIMITS: Final = (50, 200)
CHANGES_PER_S: Final = 10
SCROLL: Final = """async () => {
  const frames = [], tasks = [];
  const observer = new PerformanceObserver(list => tasks.push(...list.getEntries().map(e => e.duration)));
  observer.observe({ entryTypes: ["longtask"] });
  const begin = performance.now();
  let last = begin;
  scrollTo(0, 0);
  while (performance.now() - begin < 8000) {
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
    scrollBy(0, scrollY + innerHeight + 1 >= document.body.scrollHeight ? -scrollY : 24);
  }
  observer.disconnect();
  return { frames, tasks };
}"""
COUNT_REFRESHES: Final = """() => {
  window.refreshed = 0;
  document.addEventListener("htmx:afterSettle", () => { window.refreshed += 1; });
}"""


def main() -> None:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with library(count) as (db, app), served(app) as address:
        for limit in LIMITS:
            print(f"{limit} videos a page")
            look(f"{address}/?limit={limit}", db)


def look(address: str, db: Database) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(address)
        page.evaluate(COUNT_REFRESHES)
        page.wait_for_timeout(20_000)  # the afterglow of the opening
        scroll(page, "at rest")
        with changing(db):
            scroll(page, "with changes")
        browser.close()


def scroll(page: Page, name: str) -> None:
    before = page.evaluate("window.refreshed")
    seen: dict[str, list[float]] = page.evaluate(SCROLL)
    frames, tasks = sorted(seen["frames"]), seen["tasks"]
    print(
        f"{name:14} {len(frames):4} frames: median {statistics.median(frames):5.1f} ms, "
        f"95 % within {frames[int(len(frames) * 0.95)]:5.1f} ms, longest {frames[-1]:6.1f} ms; "
        f"{len(tasks)} long tasks, longest {max(tasks, default=0.0):5.1f} ms; "
        f"{page.evaluate('window.refreshed') - before} updates"
    )


@contextmanager
def served(app: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    background(app).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        background(app).stop()
        server.shutdown()
        thread.join()


@contextmanager
def changing(db: Database) -> Iterator[None]:
    """The newest videos are inspected anew meanwhile, for all that the page can see."""
    stop = threading.Event()

    def change() -> None:
        values: dict[str, Any] = {"n": 0}
        statement = text(
            "UPDATE videos SET state = 'processing', progress = (:n % 100) / 100.0 "
            "WHERE id = (SELECT max(id) FROM videos) - :n % 40"
        )
        while not stop.wait(1 / CHANGES_PER_S):
            values["n"] += 1
            with db.begin() as tx:
                tx.execute(statement, values)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


if __name__ == "__main__":
    main()
