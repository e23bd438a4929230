"""The site of the documents builds without a warning, and holds what is generated."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from inspector.settings import Settings

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site; any warning fails the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return folder


def test_every_document_is_a_page_and_stands_in_the_navigation(site: Path) -> None:
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    navigation = set(re.findall(r'href="([\w/-]+)\.html"', (site / "index.html").read_text()))
    assert pages | {"changelog", "contributing"} <= navigation
    assert {"reference/settings", "reference/commands", "reference/operations"} <= navigation


def test_the_reference_is_made_from_the_code(site: Path) -> None:
    settings = (site / "reference" / "settings.html").read_text()
    assert all(f"INSPECTOR_{name.upper()}" in settings for name in Settings.model_fields)
    assert "Usage: inspector review decide" in (site / "reference" / "commands.html").read_text()
    assert "GET /api/v1/videos" in (site / "reference" / "operations.html").read_text()
    assert '"openapi": "3.1' in (site / "reference" / "openapi.json").read_text()


def test_nothing_stands_twice_and_no_link_leaves_for_the_repository(site: Path) -> None:
    front = (site / "index.html").read_text()
    assert "INSPECTOR_SWEEP_SLICE" not in front
    assert not [
        page for page in site.rglob("*.html") if re.search(r'href="[^":]*\.(md|py)[#"]', page.read_text())
    ]
