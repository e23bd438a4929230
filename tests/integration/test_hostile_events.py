"""Events whose words are anything that parses: PostgreSQL takes them all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from inspector.events import parse_message
from inspector.model import State
from inspector.store import Database
from inspector.store.status import StatusReader
from inspector.worker.ingest import Ingest
from tests.services import settings_for_test
from tests.unit.api.fakes import BUCKET, OBJECT, FakeBucket

KEYS = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1, max_size=256
).filter(lambda key: not key.startswith(".inspector/"))
SEQUENCERS = st.none() | st.text("0123456789abcdefABCDEF", max_size=64)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(key=KEYS, sequencers=st.tuples(SEQUENCERS, SEQUENCERS), version=st.none() | st.text(max_size=40))
def test_every_key_that_parses_can_be_stored_and_found_again(
    database: Database, tmp_path: Path, key: str, sequencers: tuple[str | None, ...], version: str | None
) -> None:
    objects: Any = FakeBucket()
    objects.name = BUCKET
    objects.objects[key] = OBJECT
    ingest = Ingest(database, objects, settings_for_test(bucket=BUCKET, data_dir=tmp_path))
    for sequencer in sequencers:
        found = {"key": quote_plus(key), "sequencer": sequencer, "versionId": version}
        s3 = {"bucket": {"name": BUCKET}, "object": found}
        (event,) = parse_message(json.dumps({"Records": [{"eventName": "ObjectCreated:Put", "s3": s3}]}))
        ingest.look_at(event.key, event)
    status = StatusReader(database, min_score=0.5).by_key(BUCKET, key)
    assert status is not None
    assert (status.key, status.state) == (key, State.QUEUED)
