"""The shell scripts, with stand-ins for the programs that they call."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bin_dir(tmp_path: Path) -> Path:
    """The only folder in PATH of the scripts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def install(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def run(script: str, bin_dir: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [shutil.which("sh") or "sh", str(ROOT / script), *arguments],
        env={**os.environ, "PATH": str(bin_dir)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


# ---------------------------------------------------------------- entrypoint.sh


def test_the_entrypoint_makes_ready_and_then_becomes_the_command(bin_dir: Path) -> None:
    install(bin_dir, "inspector", 'echo "$$ $*"')
    result = run("entrypoint.sh", bin_dir, "work", "--index", "a b")
    first, second = result.stdout.splitlines()
    assert first.endswith(" bootstrap")
    assert second.endswith(" work --index a b")
    assert result.returncode == 0


def test_the_entrypoint_does_not_start_what_was_not_made_ready(bin_dir: Path) -> None:
    install(bin_dir, "inspector", 'echo "$1"; [ "$1" != bootstrap ] || exit 3')
    result = run("entrypoint.sh", bin_dir, "serve")
    assert (result.returncode, result.stdout) == (3, "bootstrap\n")


# ---------------------------------------------------------------- infra/install-ffmpeg


def test_an_installed_ffmpeg_is_left_alone(bin_dir: Path) -> None:
    for name in ("ffmpeg", "ffprobe"):
        install(bin_dir, name, "exit 1")
    install(bin_dir, "apt-get", "exit 1")
    assert run("infra/install-ffmpeg", bin_dir).returncode == 0


def test_root_installs_ffmpeg(bin_dir: Path, tmp_path: Path) -> None:
    install(bin_dir, "apt-get", f'echo "$*" >> {tmp_path}/calls')
    install(bin_dir, "id", "echo 0")
    assert run("infra/install-ffmpeg", bin_dir).returncode == 0
    assert (
        (tmp_path / "calls")
        .read_text()
        .splitlines()[-1]
        .endswith("install -y --no-install-recommends ffmpeg")
    )


def test_who_may_not_install_ffmpeg_is_told_what_to_type(bin_dir: Path) -> None:
    install(bin_dir, "apt-get", "exit 1")
    install(bin_dir, "id", "echo 1000")
    result = run("infra/install-ffmpeg", bin_dir)
    assert result.returncode == 1
    assert "Type: sudo apt-get install" in result.stderr


def test_without_a_known_package_manager_the_address_is_told(bin_dir: Path) -> None:
    result = run("infra/install-ffmpeg", bin_dir)
    assert result.returncode == 1
    assert "https://ffmpeg.org" in result.stderr


# ---------------------------------------------------------------- infra/install-package


def test_an_installed_program_is_left_alone(bin_dir: Path) -> None:
    install(bin_dir, "bwrap", "exit 1")
    install(bin_dir, "apt-get", "exit 1")
    assert run("infra/install-package", bin_dir, "bwrap", "bubblewrap").returncode == 0


def test_root_installs_the_package_of_a_program(bin_dir: Path, tmp_path: Path) -> None:
    install(bin_dir, "apt-get", f'echo "$*" >> {tmp_path}/calls')
    install(bin_dir, "id", "echo 0")
    assert run("infra/install-package", bin_dir, "bwrap", "bubblewrap").returncode == 0
    assert (tmp_path / "calls").read_text().splitlines()[-1].endswith(" bubblewrap")


def test_who_may_not_install_a_package_is_told_what_to_type(bin_dir: Path) -> None:
    install(bin_dir, "apt-get", "exit 1")
    install(bin_dir, "id", "echo 1000")
    result = run("infra/install-package", bin_dir, "bwrap", "bubblewrap")
    assert result.returncode == 1
    assert "Type: sudo apt-get install" in result.stderr


# ---------------------------------------------------------------- infra/audit


def audit(bin_dir: Path, answer: str, code: int) -> subprocess.CompletedProcess[str]:
    """Beside a pip-audit that answers so."""
    install(bin_dir, "pip-audit", f"cat <<'END'\n{answer}\nEND\nexit {code}")
    (bin_dir / "python").symlink_to(sys.executable)
    return subprocess.run(
        [bin_dir / "python", "-I", ROOT / "infra" / "audit"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def package(name: str, **fields: object) -> dict[str, object]:
    return {"name": name, "version": "1.0", **fields}


def test_a_vulnerable_package_fails_the_audit_and_is_named(bin_dir: Path) -> None:
    fault = {"id": "PYSEC-1", "fix_versions": ["1.1"]}
    packages = [package("good", vulns=[]), package("bad", vulns=[fault])]
    done = audit(bin_dir, json.dumps({"dependencies": packages}), 1)
    assert done.returncode == 1
    assert "bad 1.0: PYSEC-1, fixed in ['1.1']" in done.stderr


def test_packages_that_nobody_knows_are_counted_as_not_audited(bin_dir: Path) -> None:
    packages = [package("good", vulns=[]), package("ours", skip_reason="not found")]
    done = audit(bin_dir, json.dumps({"dependencies": packages}), 0)
    assert (done.returncode, done.stderr.splitlines()[0].split(",")[0]) == (0, "1 of 2 packages audited")


def test_without_a_network_the_audit_says_so_and_passes(bin_dir: Path) -> None:
    done = audit(bin_dir, "", 1)
    assert done.returncode == 0
    assert "not audited" in done.stderr
