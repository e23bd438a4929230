"""The real web server, and clients that are malformed, silent or slow: all others are answered meanwhile."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.integration.test_api_server import Server, started
from tests.services import wait_until

GOOD = b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n"
SOON_S = 3.0


@pytest.fixture(scope="module")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with started(tmp_path_factory.mktemp("web")) as server:
        yield server


@pytest.fixture
def server(shared_server: Server) -> Server:
    return shared_server


def connect(server: Server, said: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    client.sendall(said)
    return client


def answer_to(server: Server, said: bytes) -> bytes:
    """All that comes back to a client that says so much and no more."""
    with closing(connect(server, said)) as client:
        client.shutdown(socket.SHUT_WR)
        return rest_of(client)


def rest_of(client: socket.socket) -> bytes:
    """What still comes until the server closes; a reset is how it closes on bytes that it did not read."""
    answer = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65536):
            answer += piece
    return answer


def judge(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split(b" ")[1]) if head else 0
    assert status < 500, answer
    if status >= 400:
        assert b"\r\ncontent-type: application/problem+json" in head.lower()
        if body:
            assert json.loads(body)["status"] == status


WORDS = st.sampled_from(
    [b"GET", b"POST", b" ", b"/", b"/status", b"HTTP/1.1", b"HTTP/9.9", b"\r\n", b"\n", b":", b"?\x80",
     b"Host: evil", b"Content-Length: 5", b"Content-Length: -1", b"Transfer-Encoding: chunked", b"5\r\nhello",
     b"Transfer-Encoding: zip", b"Expect: 100-continue", b"Expect: x", b"Connection: keep-alive", b"\0", b"%",
     b"Host: localhost", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01", b"X" * 9000, b"A: b\r\n" * 150,
     GOOD]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(WORDS | st.binary(max_size=10), max_size=12).map(b"".join))
@example(b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: zip\r\n\r\n")
@example(b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n")
@example(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 150 + b"\r\n")
@example(b"GET /x?\x80 HTTP/1.1\r\nHost: localhost\r\n\r\n")
def test_what_is_no_http_is_answered_with_a_problem_or_not_at_all(server: Server, said: bytes) -> None:
    judge(answer_to(server, said))


def test_nothing_of_it_is_repeated_or_logged_as_our_error(server: Server) -> None:
    answer = answer_to(server, b"GET /<script> HTTP/1.1\r\nbad header: <script>\r\n\r\n")
    assert b"<script>" not in answer
    assert b" 400 " in answer
    assert server.answers()
    log = (server.folder / "log").read_text()
    assert "Traceback" not in log


HALF_A_BODY = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\ntoken="
SLOW = [b"", b"G", GOOD[:-2], HALF_A_BODY, GOOD + GOOD[:-2]]


def test_slow_clients_keep_nobody_out_and_are_let_go(server: Server) -> None:
    """Silent, after a byte, half a head, half a body, half a second request: more of each than threads."""
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(connect(server, said))) for said in SLOW * 32]
        began = time.monotonic()
        assert server.get("/status")[0] == 200
        assert time.monotonic() - began < SOON_S
        assert all(rest_of(client).count(b"HTTP/1.1") <= 1 for client in clients)
    wait_until(server.answers, timeout_s=10)


def test_a_client_that_asks_and_never_reads_keeps_nobody_out(server: Server) -> None:
    server.has("queued", "unread")
    said = b"GET /status/unread HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with closing(connect(server)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(0.05)
        with suppress(OSError):
            for _ in range(500):
                client.sendall(said)
                assert server.answers()
        began = time.monotonic()
        assert server.get("/status/unread")[0] == 200
        assert time.monotonic() - began < SOON_S


def test_clients_that_never_close_keep_nobody_out(server: Server) -> None:
    said = GOOD[:-2] + b"Connection: close\r\n\r\n"
    with ExitStack() as stack:
        clients = [stack.enter_context(closing(connect(server, said))) for _ in range(40)]
        began = time.monotonic()
        assert server.get("/status")[0] == 200
        assert time.monotonic() - began < SOON_S
        assert all(client.recv(65536).startswith(b"HTTP/1.1 200") for client in clients)


def test_a_request_in_small_pieces_is_answered(server: Server) -> None:
    said = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\nX: y\r\n\r\ntoken=x"
    with closing(connect(server)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for n in range(len(said)):
            client.sendall(said[n : n + 1])
        assert client.recv(65536).startswith(b"HTTP/1.1 401")
