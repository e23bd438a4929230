"""What ffprobe and ffmpeg can reach, with a sandbox and without; programs and kernel are the real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from inspector.errors import ConfigError, Interrupted, MediaRejected, ToolFailed, ToolKilled, ToolTimeout
from inspector.media import ToolLimits, probe_media, run_tool, sandbox, sandbox_status
from inspector.media.cgroup import process_cage, process_cages
from inspector.media.reading import read_by_tool
from inspector.media.sandbox import bwrap_command
from inspector.settings import SandboxChoice, load_settings
from tests.media_clips import H264, make, pattern

LIMITS: Final = ToolLimits(memory_bytes=2**30, cpu_s=30)
PATIENCE_S: Final = 20.0

needs_bwrap = pytest.mark.usefixtures("bwrap")
needs_cgroup = pytest.mark.usefixtures("cgroup")


@pytest.fixture
def bwrap() -> None:
    """Where the kernel permits no user namespaces there is nothing to look at; that too is tested, below."""
    status = sandbox_status(load_settings())
    if status.kind is not SandboxChoice.BWRAP:
        pytest.skip(status.why)


@pytest.fixture
def cgroup() -> None:
    if process_cages() is None:
        pytest.skip("no cgroup can be made here")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "video"
    path.write_text("a video")
    return path


@pytest.fixture
def fresh() -> Iterator[None]:
    """Forget what was tried, before and after."""
    sandbox._fault_of_bwrap.cache_clear()
    yield
    sandbox._fault_of_bwrap.cache_clear()


def run(script: str, file: Path, *, limits: ToolLimits = LIMITS, **options: object) -> str:
    """What a shell script writes to its standard output, locked in with this file."""
    said = bytearray()
    run_tool(
        ["sh", "-c", script, "sh", str(file)],
        limits=limits,
        deadline_s=PATIENCE_S,
        sinks={"stdout": said.extend},
        sandbox=bwrap_command(file),
        **options,  # type: ignore[arg-type]
    )
    return said.decode()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            return False
        os.sched_yield()
    return True


# ---------------------------------------------------------------- what can be seen


@needs_bwrap
def test_of_our_files_only_the_one_is_seen_and_nothing_can_be_written(file: Path) -> None:
    (file.parent / "neighbour").write_text("secret")
    assert run('cat "$1"', file) == "a video"
    assert run('ls "${1%/*}"', file) == "video\n"
    below_root = {Path(folder).parts[1] for folder in sandbox.SYSTEM if Path(folder).exists()}
    assert set(run("ls /", file).split()) == below_root | {"tmp", file.parts[1]}
    assert set(run("ls /etc", file).split()) <= {"alternatives", "ld.so.cache"}
    with pytest.raises(ToolFailed, match="Read-only"):
        run('echo x >"$1"', file)
    with pytest.raises(ToolFailed, match="Read-only"):
        run("echo >/new", file)
    assert file.read_text() == "a video"


@needs_bwrap
def test_whatever_reads_a_video_reads_nothing_else(file: Path) -> None:
    neighbour = file.parent / "neighbour"
    neighbour.write_text("secret")
    said = bytearray()
    settings = load_settings(sandbox=SandboxChoice.BWRAP)
    read_by_tool(file, ["cat", str(file)], settings, deadline_s=PATIENCE_S, sinks={"stdout": said.extend})
    assert said == b"a video"
    with pytest.raises(ToolFailed, match="No such file"):
        read_by_tool(
            file, ["cat", str(neighbour)], settings, deadline_s=PATIENCE_S, sinks={"stdout": said.extend}
        )
    assert said == b"a video"


@needs_bwrap
def test_there_is_no_network_not_even_our_own_loopback(file: Path) -> None:
    program = (
        "import socket; s = socket.socket(); print(s.connect_ex(('127.0.0.1', 9)), "
        "s.connect_ex(('192.0.2.1', 80)), [n for _, n in socket.if_nameindex()])"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "SYSTEM", (*sandbox.SYSTEM, str(Path(sys.base_prefix).resolve())))
        said = run(f'exec {Path(sys.executable).resolve()} -I -c "{program}"', file)
    assert said.split(maxsplit=2)[1:] == ["101", "['lo']\n"], "the network is unreachable"


@needs_bwrap
def test_it_has_no_capability_no_new_privilege_and_no_other_process(file: Path) -> None:
    """/proc is not there: the shell's own pid, and what the kernel lets it do, must tell."""
    assert int(run("echo $$", file)) < 5, "a process id of its own namespace"
    with pytest.raises(ToolFailed):
        run(f"kill -0 {os.getpid()}", file)
    with pytest.raises(ToolFailed) as caught:
        run("mount -t tmpfs none /tmp", file)
    assert "denied" in caught.value.stderr


@needs_bwrap
def test_limits_hold_inside(file: Path) -> None:
    limits = ToolLimits(memory_bytes=2**28, cpu_s=7, file_bytes=512)
    assert run("ulimit -v; ulimit -t; ulimit -f; ulimit -c", file, limits=limits).split() == [
        *("262144", "7", "1", "0")
    ]


@needs_bwrap
@pytest.mark.parametrize("name", ["--ro-bind", "-i", "a 'b' \"c\"\n#", "report", "é🎬"])
def test_no_name_of_a_file_is_taken_for_an_option(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("a video")
    assert run('cat "$1"', path) == "a video"


@needs_bwrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_root_reads_files_of_others_too() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        file = Path(folder) / "video"
        file.write_text("a video")
        file.chmod(0o600)
        os.chown(file, 1234, 1234)
        assert run('cat "$1"', file) == "a video"


# ---------------------------------------------------------------- how it ends


@needs_bwrap
def test_death_inside_is_told_as_outside(file: Path) -> None:
    with pytest.raises(ToolKilled, match="SIGKILL"):
        run("sh -c 'kill -KILL $$' || exit $?", file)
    with pytest.raises(ToolKilled):
        run("exit 255", file)
    with pytest.raises(ToolFailed, match="status 3: no") as caught:
        run("echo no >&2; exit 3", file)
    assert caught.value.returncode == 3
    with pytest.raises(ToolTimeout, match="CPU"):
        run("while :; do :; done", file, limits=ToolLimits(2**30, cpu_s=1))


@needs_bwrap
def test_a_sandbox_that_fails_is_not_the_file_s_fault(file: Path) -> None:
    with pytest.raises(ToolFailed, match="sandbox could not be set up") as caught:
        run("exit 0", file.parent / "gone")
    assert (caught.value.returncode, caught.value.stderr) == (None, "")


@needs_bwrap
def test_whoever_left_the_session_dies_with_the_program(file: Path) -> None:
    """It has another process id outside, so it is known by its name."""
    run(f"setsid sleep {4000 + os.getpid()}.5 >/dev/null 2>&1 &", file)
    assert eventually(lambda: not _named(f"sleep\0{4000 + os.getpid()}.5"))


@needs_bwrap
def test_what_is_stopped_is_gone(file: Path) -> None:
    with pytest.raises(Interrupted):
        run(f"sleep {5000 + os.getpid()}.5", file, cancelled=lambda: bool(_named(f"{5000 + os.getpid()}.5")))
    assert eventually(lambda: not _named(f"{5000 + os.getpid()}.5"))


@needs_bwrap
def test_it_dies_with_the_process_that_started_it(file: Path) -> None:
    script = (
        "from pathlib import Path\n"
        "from inspector.media import ToolLimits, run_tool\n"
        "from inspector.media.sandbox import bwrap_command\n"
        f"run_tool(['sleep', '{6000 + os.getpid()}.5'], limits=ToolLimits(2**30, 30), deadline_s=60,\n"
        f"         sandbox=bwrap_command(Path({str(file)!r})))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    try:
        assert eventually(lambda: _named(f"/sleep\0{6000 + os.getpid()}.5", at_start=True))
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert eventually(lambda: not _named(f"{6000 + os.getpid()}.5"))


def _named(part: str, *, at_start: bool = False) -> list[str]:
    """Ids of the processes whose command line has this part, or has it in its first two words."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_text(errors="replace").split("\0")
            said = "\0".join(words[:2] if at_start else words)
            if part in said and is_alive(int(path.parent.name)):
                found.append(path.parent.name)
        except OSError:
            continue
    return found


# ---------------------------------------------------------------- how many processes


@needs_cgroup
def test_a_program_that_breeds_is_bounded_and_none_of_its_children_survives() -> None:
    said = bytearray()
    script = "i=0; while [ $i -lt 100 ]; do setsid sleep 7000.25 & i=$((i+1)); done; wait"
    with pytest.raises(ToolFailed, match="fork"):
        run_tool(
            ["sh", "-c", script],
            limits=ToolLimits(2**30, 30, processes=20),
            deadline_s=PATIENCE_S,
            sinks={"stdout": said.extend},
        )
    assert eventually(lambda: not _named("sleep\x007000.25"))


@needs_cgroup
def test_nothing_is_left_of_a_cgroup() -> None:
    base = process_cages()
    assert base is not None
    with process_cage(5) as entrance:
        assert Path(entrance[-1]).with_name("pids.max").read_text() == "5\n"
    assert not Path(entrance[-1]).exists()


# ---------------------------------------------------------------- which one is in force


def test_none_is_what_the_settings_may_ask_for() -> None:
    status = sandbox_status(load_settings(sandbox="none"))
    assert (status.kind, status.why) == (SandboxChoice.NONE, "INSPECTOR_SANDBOX says none")


@pytest.mark.usefixtures("fresh")
def test_without_bubblewrap_auto_does_without_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    status = sandbox_status(load_settings(sandbox="auto"))
    assert (status.kind, status.why) == (SandboxChoice.NONE, "bubblewrap (bwrap) is not installed")


@pytest.mark.usefixtures("fresh")
def test_a_bubblewrap_that_is_forbidden_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    status = sandbox_status(load_settings(sandbox="auto"))
    assert status.kind is SandboxChoice.NONE
    assert "No permissions to create new namespace" in status.why


@pytest.mark.usefixtures("fresh")
def test_a_sandbox_that_is_demanded_and_does_not_work_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ConfigError, match="INSPECTOR_SANDBOX is bwrap, but bubblewrap"):
        sandbox_status(load_settings(sandbox="bwrap"))


@needs_bwrap
@pytest.mark.parametrize("choice", ["none", "bwrap"])
def test_files_are_looked_at_either_way(tmp_path: Path, choice: str) -> None:
    settings = load_settings(sandbox=choice)
    film = make(tmp_path / "film.mp4", *pattern(), "-t", "1", *H264)
    assert probe_media(film, settings).video_codec == "h264"
    (tmp_path / "text.mp4").write_text("hello, this is text\n")
    with pytest.raises(MediaRejected):
        probe_media(tmp_path / "text.mp4", settings)
