"""From stored to claimed, and from PUT to done, on a stack that `inspector up` runs in this folder.

    python benchmarks/latency.py CLIP [--runs 10]

Each run uploads CLIP with a few random bytes behind it (ffmpeg passes over them), so that it is new to
the inspector. Times are those of the database, which runs on the same machine. Prints medians and maxima.
"""

from __future__ import annotations

import argparse
import secrets
import statistics
import time
from datetime import datetime
from pathlib import Path

from inspector.cli.client import StatusClient
from inspector.model import State
from inspector.settings import load_settings
from inspector.stack import join_stack
from inspector.wiring.adapters import make_bucket


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=10)
    options = parser.parse_args()
    settings = join_stack(load_settings())
    bucket, client = make_bucket(settings), StatusClient(settings)
    content = options.clip.read_bytes()
    claimed, done = [], []
    for run in range(options.runs):
        key = f"latency/{run}-{secrets.token_hex(4)}{options.clip.suffix}"
        put_at = time.time()
        bucket.put(key, content + secrets.token_bytes(8))
        stored_at = time.time()
        times = _wait_for(client, key)["timestamps"]
        claimed.append(_moment(times["started"]) - stored_at)
        done.append(_moment(times["finished"]) - put_at)
    for name, values in (("stored to claimed", claimed), ("PUT to done", done)):
        print(f"{name:<18} median {statistics.median(values):.3f} s   max {max(values):.3f} s")


def _wait_for(client: StatusClient, key: str) -> dict[str, dict[str, str]]:
    while True:
        video = client.one(key)
        if State(video["status"]).final:
            return video
        time.sleep(0.05)


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


if __name__ == "__main__":
    main()
