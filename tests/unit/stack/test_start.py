"""Starting everything: what stumbles meanwhile is waited for."""

from __future__ import annotations

from typing import Any

import pytest

from inspector.cli import stack
from inspector.errors import DatabaseUnavailable, QueueUnavailable
from inspector.ops.bootstrap import BootstrapReport
from inspector.signals import StopFlag
from tests.services import settings_for_test


def test_a_service_that_stumbles_while_all_is_made_ready_does_not_end_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stumbles = [DatabaseUnavailable("cut"), QueueUnavailable("refused")]

    def run_bootstrap(*_: Any, **__: Any) -> BootstrapReport:
        if stumbles:
            raise stumbles.pop()
        return BootstrapReport(())

    monkeypatch.setattr(stack, "run_bootstrap", run_bootstrap)
    stack._bootstrap(settings_for_test(), StopFlag())
    assert stumbles == []
