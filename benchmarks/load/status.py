"""`/status/<key>` asked for at a fixed rate: how late are the answers of one web process?"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.load import rows
from benchmarks.load.asking import Answers, ask
from benchmarks.load.house import Gauge, House, Machine, get, table


def measure(house: House, *, rate: float, seconds: float, videos: int) -> str:
    """A table of the latencies."""
    keys = rows.finished(house.db, house.settings.bucket, videos)
    size = len(get(house.settings.port, f"/status/{keys[0]}")[1])
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        for warmth in (rate / 4, rate / 2):
            pool.submit(ask, house.settings.port, keys, rate=warmth, seconds=2 * videos / rate).result()
        web, machine = Gauge(house.web), Machine()
        found: Answers = pool.submit(ask, house.settings.port, keys, rate=rate, seconds=seconds).result()
        share, (idle, stolen) = web.share(), machine.shares()
    answered = len(found.latencies_s)
    return table(
        ["requests/s", "answered", "lost", "p50 ms", "p90", "p99", "p99.9", "max", "web, of a core",
         "client", "machine idle", "stolen"],
        [[f"{rate:g}", f"{answered} ({answered / found.elapsed_s:.0f}/s, {size} bytes)", found.lost,
          *(f"{found.quantile_ms(q):.1f}" for q in (0.5, 0.9, 0.99, 0.999, 1.0)),
          f"{share:.0%}", f"{found.share:.0%}", f"{idle:.0%} of {os.cpu_count()}", f"{stolen:.0%}"]],
    )  # fmt: skip
