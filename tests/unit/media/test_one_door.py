"""Whatever reads a stranger's file goes through `read_by_tool`: limited, locked in, its demands judged."""

from __future__ import annotations

import re
from typing import Final

from tests.services import ROOT

#: The door itself; the trials whether sandbox and cgroup work, and what ffmpeg can do; what records a stream
#: and so needs the network, but reads no file (its protocols are listed); and what makes films of our own.
_MAY_START_PROGRAMS: Final = {
    *("media/reading.py", "media/sandbox.py", "media/cgroup.py", "media/features.py", "media/live.py"),
    "cli/demo.py",
}
_STARTS: Final = re.compile(r"(?<!def )\b(run_tool|subprocess\.(Popen|run|check_output))\(")
#: These start our own services, never ffmpeg.
_SERVICES: Final = re.compile(r"^(stack|worker/supervisor|cli/|infra)")


def test_nothing_but_the_door_starts_a_program_that_reads_a_file() -> None:
    house = ROOT / "inspector"
    starting = {
        path.relative_to(house).as_posix()
        for path in house.glob("**/*.py")
        if _STARTS.search(path.read_text())
    }
    others = {name for name in starting - _MAY_START_PROGRAMS if not _SERVICES.match(name)}
    assert others == {"media/tool.py"}
    assert starting >= _MAY_START_PROGRAMS
