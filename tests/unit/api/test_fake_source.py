"""The fake keeps the contract of the real source."""

from __future__ import annotations

import pytest

from inspector.model import State
from tests.unit.api.fakes import BUCKET, FakeSource
from tests.unit.api.source_contract import StatusSourceContract, World


class TestFakeSource(StatusSourceContract):
    @pytest.fixture
    def world(self) -> World:
        source = FakeSource()
        return World(
            source=source,
            changes=source.listener,
            bucket=BUCKET,
            enqueue=source.put,
            finish=lambda key: _discard(source.put(key, State.DONE)),
            remove=lambda key: _discard(source.put(key, State.REMOVED)),
        )


def _discard(_: object) -> None:
    return None
