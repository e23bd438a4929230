"""A short war: some videos, some dozen faults. `make chaos` fights the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.faults import WEIGHTS
from tests.chaos.run import Plan, chaos

#: Those that need longer than a short test may take: a lease that runs out, a start of everything.
_LONG = ("everything stopped and started", "supervisor killed", "bucket forgotten", "worker hung for good")


@pytest.mark.timeout(600)
def test_a_short_war_changes_nothing_of_what_is_found(service_dir: Path) -> None:
    folder = service_dir / "chaos"
    folder.mkdir(mode=0o711)
    quick = tuple(name for name in WEIGHTS if name not in _LONG)
    report = chaos(Plan(seed=1, videos=8, faults=20, war_s=12, only=quick), folder)
    assert report.problems == [], str(report)
    assert report.pairs > 0
    assert report.struck.total() >= 10, str(report)
