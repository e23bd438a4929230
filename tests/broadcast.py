"""Channels on this machine: a film shown over and over, as a playlist or pushed to whoever listens."""

from __future__ import annotations

import functools
import http.server
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.film import make
from tests.services import free_port, wait_until

SEGMENT_S = 1  # also between two key frames
WINDOW = 60  # segments that a playlist offers: a recorder starts late on a busy machine


def reel(path: Path, film: Path) -> Path:
    """The film as a station shows it: a key frame every second, sound beside it."""
    silent = ("-f", "lavfi", "-i", "anoisesrc=a=0.02:seed=1:r=44100", "-shortest", "-c:a", "aac")
    picture = (
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "25",
        "-keyint_min",
        "25",
        "-sc_threshold",
        "0",
    )
    return make(path, "-i", str(film), *silent, *picture)


@contextmanager
def station(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """An ffmpeg of another house, for the time of the block."""
    command = ["ffmpeg", "-nostdin", "-v", "error", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def again_and_again(pids: set[int], pace: float, *arguments: str) -> Iterator[None]:
    """A station that is started anew whenever it ends; its clock goes on. pids: of all that were started."""
    over, began = threading.Event(), time.monotonic()
    *before, address = arguments

    def keep() -> None:
        while not over.is_set():
            offset = ("-output_ts_offset", f"{pace * (time.monotonic() - began):.3f}")
            with station(*before, *offset, address) as process:
                pids.add(process.pid)
                while process.poll() is None and not over.wait(0.02):
                    pass

    keeper = threading.Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


@dataclass
class Relay:
    """A network that may fall silent. entrance, exit: addresses to send to, and to listen at."""

    entrance: str
    exit: str
    muted: bool = False


@contextmanager
def relayed() -> Iterator[Relay]:
    """UDP packets, handed on."""
    with socket.socket(type=socket.SOCK_DGRAM) as inside, socket.socket(type=socket.SOCK_DGRAM) as outside:
        inside.bind(("127.0.0.1", 0))
        inside.settimeout(0.1)
        to = free_port()
        entrance = f"udp://127.0.0.1:{inside.getsockname()[1]}?pkt_size=1316"
        relay, over = Relay(entrance, f"udp://127.0.0.1:{to}"), threading.Event()

        def hand_on() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    data = inside.recv(2**16)
                    if not relay.muted:
                        outside.sendto(data, ("127.0.0.1", to))

        porter = threading.Thread(target=hand_on)
        porter.start()
        try:
            yield relay
        finally:
            over.set()
            porter.join()


def shown(film: Path, *, pace: float, times: int = 0) -> tuple[str, ...]:
    """Arguments that show a film, `pace` times as fast as it is. times: how often; 0: over and over."""
    return ("-readrate", str(pace), "-stream_loop", str(times - 1), "-i", str(film), "-c", "copy")


@contextmanager
def on_hls(folder: Path, film: Path, *, pace: float = 1.0, times: int = 0) -> Iterator[str]:
    """The address of a live playlist; old segments are deleted."""
    playlist = folder / "live.m3u8"
    form = ("-f", "hls", "-hls_time", str(SEGMENT_S), "-hls_list_size", str(WINDOW))
    kept = ("-hls_delete_threshold", "2", "-hls_flags", "delete_segments+temp_file")
    with (
        station(*shown(film, pace=pace, times=times), *form, *kept, str(playlist)) as process,
        served(folder) as address,
    ):
        wait_until(playlist.exists, process)
        yield f"{address}/live.m3u8"


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A web server of this folder."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, *_: Any) -> None:
        """Whoever listened was killed."""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    timeout = 5

    def log_message(self, *_: Any) -> None: ...


def children(parent: int, name: str) -> list[int]:
    """The processes of this name that a process has started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            fields = (folder / "stat").read_text()
            if f"({name})" in fields and int(fields.rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found


def kill(pids: Sequence[int], signum: signal.Signals = signal.SIGKILL) -> int:
    """Send a signal; kill -9 if nothing else is asked for. Returns how many there were."""
    struck = 0
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signum)
            struck += 1
    return struck
