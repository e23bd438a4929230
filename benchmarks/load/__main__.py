"""How much it carries: `python -m benchmarks.load status|streams|arrivals|ingest|all`, or `make bench-load`.

Everything runs on this machine, in a temporary folder: PostgreSQL, the emulator, one web process, and clients
in processes of their own. Prints a table for each.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import arrivals, ingest, status, streams
from benchmarks.load.house import House, running
from inspector.logs import configure_logging


class Part(NamedTuple):
    """One measurement, and what it needs."""

    title: str
    measure: Callable[[House, argparse.Namespace], str]
    emulator: bool
    web: bool


PARTS = {
    "arrivals": Part(
        "Arrivals",
        lambda house, o: arrivals.measure(house, objects=o.objects),
        emulator=True,
        web=False,
    ),
    "status": Part(
        "Requests for one video",
        lambda house, o: status.measure(house, rate=o.rate, seconds=o.seconds, videos=o.videos),
        emulator=False,
        web=True,
    ),
    "ingest": Part(
        "Ingest",
        lambda house, o: ingest.measure(house, objects=o.messages, rounds=o.rounds),
        emulator=True,
        web=False,
    ),
    "streams": Part(
        "Streams",
        lambda house, o: streams.measure(house, readers=o.readers, seconds=o.stream_seconds, every_s=o.every),
        emulator=False,
        web=True,
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("part", choices=[*PARTS, "all"])
    parser.add_argument("--objects", type=int, default=10_000, help="arrivals: how many")
    parser.add_argument("--rate", type=float, default=1000, help="status: requests per second")
    parser.add_argument("--seconds", type=float, default=60, help="status: for how long")
    parser.add_argument("--videos", type=int, default=1000, help="status: how many are asked for")
    parser.add_argument("--messages", type=int, default=3000, help="ingest: of each way")
    parser.add_argument("--rounds", type=int, default=5, help="ingest: ways take turns so often")
    parser.add_argument("--readers", type=int, default=500, help="streams: each reads a video of its own")
    parser.add_argument("--stream-seconds", type=float, default=300, help="streams: for how long")
    parser.add_argument(
        "--every", type=float, default=2.0, help="streams: seconds between changes of a video"
    )
    options = parser.parse_args()
    for name in PARTS if options.part == "all" else [options.part]:
        part = PARTS[name]
        with tempfile.TemporaryDirectory(prefix="inspector-load-") as folder:
            Path(folder).chmod(0o711)  # PostgreSQL's user passes through it
            with running(
                Path(folder), port=_free_port(), s3_port=_free_port(), emulator=part.emulator, web=part.web
            ) as house:
                configure_logging(house.settings)
                print(f"### {part.title}\n{part.measure(house, options)}\n", flush=True)


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
