"""What runs here: the version, the commit it was built from, and the Python that runs it."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from typing import Final

DISTRIBUTION: Final = "video-inspector"
_SHORT: Final = 12  # digits of a commit that tell it from all others of a project


@dataclass(frozen=True, slots=True)
class Build:
    """commit: empty where it is not known, as in a working copy."""

    version: str
    commit: str
    python: str

    def __str__(self) -> str:
        commit = f"commit {self.commit}, " if self.commit else ""
        return f"{self.version} ({commit}Python {self.python})"


@cache
def this_build() -> Build:
    """The build that runs here."""
    installed = metadata.distribution(DISTRIBUTION)
    return Build(installed.version, _commit(installed)[:_SHORT], platform.python_version())


def _commit(installed: metadata.Distribution) -> str:
    """As the build of the image wrote it (infra/Dockerfile), or pip where it installed from git (PEP 610)."""
    written = resources.files("inspector") / "COMMIT"
    if written.is_file():
        return written.read_text().strip()
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    return str(origin.get("vcs_info", {}).get("commit_id", ""))
