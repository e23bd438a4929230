"""What is said when the machine is not fit: each time with the remedy."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from inspector.errors import ConfigError
from inspector.stack import check_data_dir, check_ffmpeg, check_port, preflight
from tests.services import free_port, settings_for_test


@pytest.fixture
def bin_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def install(folder: Path, name: str, script: str = "exit 0") -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_this_machine_is_fit(tmp_path: Path) -> None:
    preflight(settings_for_test(data_dir=tmp_path / "data", port=free_port(), embedded_s3_port=free_port()))


def test_missing_ffmpeg_is_told_with_what_to_type(bin_dir: Path) -> None:
    install(bin_dir, "apt-get")
    with pytest.raises(ConfigError, match=r"ffmpeg is not installed: type `sudo apt-get install ffmpeg`"):
        check_ffmpeg()


@pytest.mark.parametrize("version", ["5.0.1", "4.4.2-0ubuntu0.22.04.1", "n4.3"])
def test_an_old_ffmpeg_is_refused(bin_dir: Path, version: str) -> None:
    install(bin_dir, "ffmpeg", f"echo 'ffmpeg version {version} Copyright'")
    with pytest.raises(ConfigError, match=r"5\.1 or newer"):
        check_ffmpeg()


@pytest.mark.parametrize("version", ["5.1.6-0+deb12u1", "n7.0", "N-119999-gabcdef", "2026-01-01-git-abc"])
def test_new_enough_or_from_git_is_accepted(bin_dir: Path, version: str) -> None:
    for tool in ("ffmpeg", "ffprobe"):
        install(bin_dir, tool, f"echo '{tool} version {version} Copyright'")
    check_ffmpeg()


def test_an_ffmpeg_that_does_not_run_is_told(bin_dir: Path) -> None:
    install(bin_dir, "ffmpeg", "exit 127")
    with pytest.raises(ConfigError, match="cannot be started"):
        check_ffmpeg()


def test_a_port_in_use_is_told_with_the_setting_that_changes_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} .*set INSPECTOR_PORT to another port"):
            check_port(port, "INSPECTOR_PORT")


def test_a_data_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.touch()
    with pytest.raises(ConfigError, match="INSPECTOR_DATA_DIR"):
        check_data_dir(file)


def test_all_faults_are_told_at_once_a_line_each(tmp_path: Path, bin_dir: Path) -> None:
    data = tmp_path / "file"
    data.touch()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ports = {"port": other.getsockname()[1], "embedded_s3_port": free_port()}
        with pytest.raises(ConfigError) as caught:
            preflight(settings_for_test(data_dir=data, **ports))
    ffmpeg, folder, port = str(caught.value).splitlines()
    assert "ffmpeg" in ffmpeg
    assert os.fspath(data) in folder
    assert "INSPECTOR_PORT" in port
