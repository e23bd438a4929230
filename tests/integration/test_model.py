"""The model, checked: whatever people, events and workers do, and in whatever order, nothing is lost.

`make chaos` lets it run long.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as Profile  # noqa: N812
from hypothesis.stateful import run_state_machine_as_test

from inspector import failpoints
from inspector.matching import compare
from inspector.store import Database
from tests.model import films
from tests.model.machine import World
from tests.model.worker import pause_here
from tests.services import settings_for_test


@pytest.fixture(autouse=True)
def _instead_of_media(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("inspector.worker.inspect.examine", films.examine)
    monkeypatch.setattr("inspector.worker.inspect.compare", films.remembered(compare))
    failpoints.install(pause_here)
    yield
    failpoints.install(None)


@pytest.mark.expects_error_log
@pytest.mark.timeout(3600)
def test_whatever_happens_every_object_ends_in_one_state_with_one_set_of_results(
    database: Database, tmp_path: Path
) -> None:
    settings = settings_for_test(
        data_dir=tmp_path, max_attempts=2, sweep_slice=2, removal_brake=0.5, scratch_reserve_bytes=0
    )
    current = Profile.get_current_profile_name()
    profile = current if current in ("chaos", "soak") else "model"
    run_state_machine_as_test(
        lambda: World(database, settings),  # type: ignore[arg-type]  # anything that makes one will do
        settings=Profile.get_profile(profile),
    )
