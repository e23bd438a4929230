"""The examples in docs/api.md are executed: each line of a session is asked, and answered as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from inspector.model import State, Verdict
from inspector.store import Database
from tests.integration.rest import Shelf, rest_app, rest_settings
from tests.services import ROOT


def test_the_session_in_the_document_goes_as_it_says(database: Database, tmp_path: Path) -> None:
    shelf = Shelf(database, "videos")
    shelf.match("films/a.mp4", "films/b.mp4", Verdict.CONTAINED)
    for key in ("films/a.mp4", "films/b.mp4"):
        shelf.put(key, State.DONE)
    shelf.match("films/c.mp4", "films/d.mp4", Verdict.DUPLICATE)
    for key in ("films/c.mp4", "films/d.mp4"):
        shelf.put(key, State.DONE)
    shelf.put("films/broken.mp4", State.FAILED)
    client = rest_app(database, rest_settings(tmp_path)).test_client()
    document = (ROOT / "docs" / "api.md").read_text()
    session = re.findall(r"^\$ curl (.*)\n((?:[^$`].*\n)+)", document, re.MULTILINE)
    assert len(session) >= 8
    for command, expected in session:
        words = shlex.split(command)
        address = next(word for word in words if word.startswith("http")).split("5001", 1)[1]
        posted = words[words.index("--json") + 1] if "--json" in words else None
        answer = client.open(
            address,
            method="GET" if posted is None else "POST",
            data=posted,
            content_type="application/json" if posted else None,
        )
        found = " ".join(answer.get_data(as_text=True).split())
        for part in expected.split("…"):
            assert " ".join(part.split()) in found, command
