"""A worker whose clock is off by hours works like any other: nothing is decided by the time of day.

Leases are judged by the database's clock, deadlines by a monotonic one.
"""

from __future__ import annotations

import re
from typing import Final

from tests.services import ROOT

_TIME_OF_DAY: Final = re.compile(r"\btime\.time(_ns)?\(|\b(datetime|date)\.(now|today|utcnow)\(")
#: The age of a file, by the clock that also dated it; the moment of a signature, which the receiver judges;
#: whether a page looks again for the pictures of a video that has just been inspected, which decides nothing;
#: how far our clock is off, which is to be told.
_MAY_ASK: Final = {
    *("worker/scratch.py", "worker/webhooks.py", "api/pages/video.py"),
    "ops/examinations.py",
}


def test_nobody_asks_for_the_time_of_day() -> None:
    house = ROOT / "inspector"
    asking = {
        path.relative_to(house).as_posix()
        for path in house.glob("**/*.py")
        if _TIME_OF_DAY.search(path.read_text())
    }
    assert asking == _MAY_ASK
