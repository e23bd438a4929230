"""A real web server over fakes: `python -m tests.integration.api_server PORT FOLDER`.

A thread plays the workers: it does what FOLDER/deeds says, line by line: `<state> <key as JSON>`.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from flask import Flask

from inspector.api import create_app, serve
from inspector.errors import ConfigError
from inspector.model import State
from inspector.settings import Settings
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, OBJECT, FakeBucket, FakeSource


def main() -> None:
    port, folder = int(sys.argv[1]), Path(sys.argv[2])
    settings = settings_for_test(port=port, bucket=BUCKET, web_threads=16, streams=60, data_dir=folder)
    try:
        serve(settings, lambda now: build(now, folder / "deeds"))
        print("served", flush=True)  # noqa: T201 - the test counts these
    except ConfigError as exc:
        sys.exit(f"inspector: {exc}")


def build(settings: Settings, deeds: Path) -> Flask:
    if "broken" in sys.argv:
        raise ConfigError("broken on purpose")
    source, bucket = FakeSource(), FakeBucket()
    threading.Thread(target=play, args=(source, bucket, deeds), daemon=True).start()
    return create_app(settings, source, source.listener, bucket)


def play(source: FakeSource, bucket: FakeBucket, deeds: Path) -> None:
    """Do what the file says, line by line, as lines are added."""
    with deeds.open() as lines:
        while True:
            line = lines.readline()
            if not line:
                time.sleep(0.01)
                continue
            state, _, key = line.partition(" ")
            if state == "pending":
                bucket.objects[json.loads(key)] = OBJECT
            else:
                source.put(json.loads(key), State(state))


if __name__ == "__main__":
    main()
