"""The web under gunicorn: odd addresses byte for byte, streams, signals, a clean end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.services import ROOT, free_port, wait_until


@dataclass(frozen=True, slots=True)
class Server:
    """A running web server; `deed` plays a worker."""

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    def get(self, target: str, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of a raw request target, sent as it stands."""
        with closing(self.connection()) as connection:
            connection.putrequest("GET", target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                connection.putheader(name, value)
            connection.endheaders()
            answer = connection.getresponse()
            body = answer.read()
            return answer.status, json.loads(body) if body.startswith(b"{") else body

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def deed(self, state: str, key: str) -> None:
        with (self.folder / "deeds").open("a") as deeds:
            deeds.write(f"{state} {json.dumps(key)}\n")

    def has(self, state: str, key: str) -> None:
        """Do the deed and wait until the server knows."""
        self.deed(state, key)
        target = f"/status?key={quote(key)}"
        wait_until(lambda: self.get(target)[1].get("status") == state, timeout_s=10)

    def answers(self) -> bool:
        try:
            return self.get("/livez")[0] == 200
        except OSError:
            return False

    def workers(self) -> list[int]:
        listing = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in listing.split()]


@contextmanager
def started(folder: Path) -> Iterator[Server]:
    (folder / "deeds").touch()
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.api_server", str(port), str(folder)],
            cwd=ROOT, stdout=log, stderr=log, process_group=0,
        )  # fmt: skip
    server = Server(port, process, folder)
    try:
        wait_until(server.answers, process)
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    with started(tmp_path) as server:
        yield server


ODD = [
    ("/status//a//b", "/a//b"),
    ("//status/a", "a"),
    ("/status/a%2Fb", "a/b"),
    ("/status/%2F", "/"),
    ("/status/..", ".."),
    ("/status/../../etc/passwd", "../../etc/passwd"),
    ("/status/a/./b", "a/./b"),
    ("/status/a%20b+c", "a b+c"),
    ("/status/100%25.mp4", "100%.mp4"),
    ("/status/%252F", "%2F"),
    ("/status/%F0%9F%98%80/", "😀/"),
    ("/status/line%0Abreak", "line\nbreak"),
    ("/status/a%3Fb%23c", "a?b#c"),
    ("/status/" + "x" * 1000, "x" * 1000),
    ("/status/" + "%F0%9F%98%80" * 256, "😀" * 256),
    ("/status/a%5Cb", "a\\b"),
    ("/status?key=a+b%2Bc", "a b+c"),
]


@pytest.mark.parametrize(("target", "key"), ODD, ids=[ascii(target)[:40] for target, _ in ODD])
def test_odd_keys_survive_a_real_server(server: Server, target: str, key: str) -> None:
    server.has("queued", key)
    status, document = server.get(target)
    assert (status, document["key"]) == (200, key)
    assert server.get(document["links"]["self"])[1]["key"] == key


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/status/%00", 404),
        ("/status/a%00b", 404),
        ("/status/%FF", 400),
        ("/status/%C3", 400),
        ("/status?key=%FF", 400),
        ("/status?key=", 400),
        ("/status/%zz", 404),
        ("/status/" + "x" * 1025, 404),
        ("/..", 404),
        ("//evil.example/..", 404),
    ],
)
def test_addresses_that_name_no_key_are_answered_with_a_problem(
    server: Server, target: str, expected: int
) -> None:
    status, problem = server.get(target)
    assert status == expected
    assert problem["type"].startswith("urn:inspector:problem:")


@pytest.mark.parametrize("target", ["//status", "//evil.example/status/"])
def test_no_address_redirects_to_another_host(server: Server, target: str) -> None:
    assert server.get(target)[0] in (200, 404)


def test_another_host_is_refused(server: Server) -> None:
    with closing(socket.create_connection(("127.0.0.1", server.port))) as raw:
        raw.sendall(b"GET /status HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
        assert raw.makefile("rb").read().startswith(b"HTTP/1.1 403 ")


def test_an_endless_address_is_refused(server: Server) -> None:
    with closing(server.connection()) as connection:
        connection.request("GET", "/status/" + "x" * 9000)
        assert connection.getresponse().status in (400, 414)


# ---------------------------------------------------------------- streams


def lines_of(server: Server, key: str) -> Iterator[str]:
    """The lines of a key's stream, as they arrive."""
    with closing(server.connection()) as connection:
        connection.request("GET", f"/status?key={quote(key)}", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        for line in answer:
            yield line.decode().rstrip("\n")


def statuses_of(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))["status"]


def test_a_stream_follows_a_video_to_its_end(server: Server) -> None:
    server.has("pending", "streamed")
    stream = statuses_of(lines_of(server, "streamed"))
    assert next(stream) == "pending"
    for state in ("queued", "processing", "done"):
        server.deed(state, "streamed")
        assert next(stream) == state
    assert list(stream) == []


def test_a_change_reaches_a_stream_at_once(server: Server) -> None:
    server.has("queued", "quick")
    wait_until(lambda: server.get("/readyz")[1]["checks"]["feeder"]["ok"], timeout_s=10)
    stream = statuses_of(lines_of(server, "quick"))
    assert next(stream) == "queued"
    began = time.monotonic()
    server.deed("done", "quick")
    assert next(stream) == "done"
    assert time.monotonic() - began < 1.0


def test_sixty_streams_hold_none_of_sixteen_threads(server: Server) -> None:
    server.has("queued", "crowded")
    with open_streams(server, "crowded", 60):
        headers = {"Accept": "text/event-stream"}
        status, problem = server.get("/status/crowded", headers)
        assert (status, problem["type"]) == (503, "urn:inspector:problem:too-many-streams")
        assert server.get("/livez")[0] == 200
        assert server.get("/status/crowded")[1]["status"] == "queued"
        server.has("done", "crowded")
    wait_until(lambda: b"inspector_streams 0.0" in server.get("/metrics")[1], timeout_s=10)


def test_all_changes_are_streamed_and_resumed(server: Server) -> None:
    with closing(server.connection()) as connection:
        connection.request("GET", "/events?prefix=told/")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        for state in ("queued", "done"):
            server.deed(state, "told/a")
        told = [line.decode().rstrip() for line in _until(answer, b'"done"')]
    states = statuses_of(iter(told))
    assert [next(states), next(states)] == ["queued", "done"]
    position = next(line for line in told if line.startswith("id: ") and line != told[2])
    with closing(server.connection()) as connection:
        headers = {"Last-Event-ID": position.removeprefix("id: ")}
        connection.request("GET", "/events?prefix=told/", headers=headers)
        (done,) = [line for line in _until(connection.getresponse(), b'"done"') if b"data: " in line]
        assert b'"status":"done"' in done


def _until(lines: http.client.HTTPResponse, mark: bytes) -> Iterator[bytes]:
    """The lines up to the first that contains `mark`."""
    for line in lines:
        yield line
        if mark in line:
            return


def test_requests_on_one_connection_are_answered_from_memory_too(server: Server) -> None:
    server.has("done", "kept")
    wait_until(lambda: server.get("/readyz")[1]["checks"]["feeder"]["ok"], timeout_s=10)
    with closing(server.connection()) as connection:
        answers = set()
        for _ in range(20):
            connection.request("GET", "/status/kept")
            answer = connection.getresponse()
            answers.add((answer.status, answer.headers["ETag"], answer.read()))
        ((status, etag, body),) = answers
        assert (status, json.loads(body)["key"]) == (200, "kept")
        connection.request("GET", "/status/kept", headers={"If-None-Match": etag})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (304, b"")
        connection.request("GET", "/status/kept", headers={"Host": "evil.example"})
        assert connection.getresponse().status == 403


@contextmanager
def open_streams(server: Server, key: str, count: int) -> Iterator[None]:
    """Readers that have read the first event, and let the rest come."""
    streams = [statuses_of(lines_of(server, key)) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(next, streams))
        yield
        list(pool.map(list, streams))


# ---------------------------------------------------------------- start and stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("to_group", [False, True], ids=["process", "terminal"])
def test_a_signal_ends_everything_soon_though_streams_are_open(
    own_server: Server, number: signal.Signals, to_group: bool
) -> None:
    own_server.has("queued", "a")
    stream = statuses_of(lines_of(own_server, "a"))
    assert next(stream) == "queued"
    (worker,) = own_server.workers()
    send: Callable[[int, int], None] = os.killpg if to_group else os.kill
    send(own_server.process.pid, number)
    assert list(stream) == []
    assert own_server.process.wait(20) == 0
    assert not Path(f"/proc/{worker}").exists()
    log = (own_server.folder / "log").read_text()
    assert "web_stopped" in log, "the worker was killed before it could end"
    assert log.count("served") == 1, "only the parent may go on after serving"
    assert "rror" not in log


def test_a_worker_that_dies_is_replaced(own_server: Server) -> None:
    (worker,) = own_server.workers()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: own_server.workers() not in ([], [worker]), timeout_s=10)
    wait_until(own_server.answers, timeout_s=10)
    own_server.process.terminate()
    assert own_server.process.wait(20) == 0


def test_the_worker_follows_a_parent_that_was_killed(own_server: Server) -> None:
    (worker,) = own_server.workers()
    own_server.process.kill()
    own_server.process.wait()
    wait_until(lambda: not alive(worker), timeout_s=20)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_application_that_cannot_be_built_is_one_clear_line(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.integration.api_server",
        str(free_port()),
        str(tmp_path),
        "broken",
    ]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert answer.stderr.endswith(
        "\ninspector: the web server could not start its worker; the log says why\n"
    )


def test_a_port_in_use_is_one_clear_line(server: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.api_server", str(server.port), str(tmp_path)]
    (tmp_path / "deeds").touch()
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 1
    assert answer.stderr == (
        f"inspector: port {server.port} on 127.0.0.1 is in use: "
        "stop what listens there, or set INSPECTOR_PORT\n"
    )
