"""Webhooks: where they may go, what they carry, how long they are waited for. Real sockets, on loopback."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook

from inspector.settings import WebhookEndpoint
from inspector.store.outbox import EventKind, Message
from inspector.worker.webhooks import NotDelivered, Sender, body_of, is_public, signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
MESSAGE = Message("msg_1", EventKind.VIDEO_DONE, AT, {"key": "ä.mp4"})
OK = b"HTTP/1.1 204 No Content\r\n\r\n"


def endpoint(url: str) -> WebhookEndpoint:
    return WebhookEndpoint(url=url, secret=SecretStr(SECRET))


def _is_whole(request: bytes) -> bool:
    """A JSON document has arrived; or something that is no HTTP, which we do not understand anyway."""
    return request.endswith(b"}") or not b"POST".startswith(request[:4])


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""


@contextmanager
def answering(*pieces: bytes, hold: bool = False) -> Iterator[tuple[int, list[bytes]]]:
    """A server for one connection that sends these pieces; the port, and what it got. hold: it then waits."""
    got: list[bytes] = []
    done = threading.Event()
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.settimeout(10)

        def serve() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                request = b""
                while not _is_whole(request) and (more := _received(connection)):
                    request += more
                got.append(request)
                for piece in pieces:
                    connection.sendall(piece)
                if hold:
                    done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], got
        finally:
            done.set()
            with suppress(OSError):  # somebody has connected
                server.shutdown(socket.SHUT_RDWR)  # wakes who waits for a connection
            thread.join()


def test_the_signature_is_that_of_the_specification() -> None:
    """Source: the Standard Webhooks specification's example, as its libraries test it."""
    url = endpoint("https://example.com/hook")
    now = datetime.fromtimestamp(1614265330, UTC)
    headers = signed(url, "msg_p5jXN8AQM9LWM0D4loKWxJek", '{"test": 2432232314}', now)
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert headers["webhook-timestamp"] == "1614265330"


def test_a_receiver_can_verify_what_arrives() -> None:
    with answering(OK) as (port, got):
        status = Sender(private=True).send(endpoint(f"http://127.0.0.1:{port}/hook?a=b"), MESSAGE)
    assert status == 204
    head, _, body = got[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    assert lines[0] == "POST /hook?a=b HTTP/1.1"
    assert headers["host"] == f"127.0.0.1:{port}"
    assert sum(line.lower().startswith("host:") for line in lines) == 1
    told = Webhook(SECRET).verify(body, headers)
    assert told == {"type": "video.done", "timestamp": "2026-01-02T03:04:05Z", "data": {"key": "ä.mp4"}}


def test_the_body_is_the_same_at_each_attempt() -> None:
    assert body_of(MESSAGE) == body_of(MESSAGE)
    assert json.loads(body_of(MESSAGE))["type"] == "video.done"


INSIDE = """
    127.0.0.1 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255
    192.0.2.1 198.18.0.1 240.0.0.1 ::1 :: fe80::1 fe80::1%eth0 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1
    ::ffff:127.0.0.1 ::ffff:10.0.0.1 2002:7f00:1:: 2002:a00:1:: 64:ff9b::7f00:1 64:ff9b:1::a00:1
    2001:0:53aa:64c:0:0:80ff:fffe nonsense
"""


@pytest.mark.parametrize("address", INSIDE.split())
def test_addresses_inside_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_world_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", ["http://127.0.0.1:{}/", "http://localhost:{}/", "http://2130706433:{}/"])
def test_nothing_knocks_at_private_doors_unless_allowed(url: str) -> None:
    with answering(OK) as (port, got), pytest.raises(NotDelivered, match="private"):
        Sender().send(endpoint(url.format(port)), MESSAGE)
    assert got == []


def test_a_name_is_looked_up_once_and_a_private_address_beside_a_public_one_is_not_used() -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    with answering(OK) as (port, got):
        with pytest.raises(NotDelivered, match="private"):
            Sender(resolve=rebinding).send(endpoint(f"http://evil.example:{port}/"), MESSAGE)
        assert Sender(resolve=rebinding, private=True).send(endpoint(f"http://evil.example:{port}/"), MESSAGE)
    assert asked == ["evil.example"] * 2
    assert b"Host: evil.example" in got[0]


def test_no_redirect_is_followed() -> None:
    with answering(OK) as (inner, got):
        redirect = f"HTTP/1.1 307 Elsewhere\r\nLocation: http://127.0.0.1:{inner}/\r\n\r\n".encode()
        with answering(redirect) as (port, _), pytest.raises(NotDelivered, match="answered 307"):
            Sender(private=True).send(endpoint(f"http://127.0.0.1:{port}/"), MESSAGE)
        assert got == []


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 500 No\r\n\r\n"])
def test_what_is_no_consent_is_no_delivery(answer: bytes) -> None:
    with answering(answer) as (port, _), pytest.raises(NotDelivered):
        Sender(private=True).send(endpoint(f"http://127.0.0.1:{port}/"), MESSAGE)


def test_an_endpoint_that_drips_is_cut_off() -> None:
    with answering(b"HTTP/1.1 2", hold=True) as (port, _), pytest.raises(NotDelivered):
        Sender(private=True, timeout_s=0.3).send(endpoint(f"http://127.0.0.1:{port}/"), MESSAGE)


def test_an_endless_answer_is_not_read_to_its_end() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 100_000, hold=True) as (port, _):
        assert Sender(private=True).send(endpoint(f"http://127.0.0.1:{port}/"), MESSAGE) == 200


def test_an_endpoint_that_is_gone_for_good_says_so() -> None:
    with answering(b"HTTP/1.1 410 Gone\r\n\r\n") as (port, _), pytest.raises(NotDelivered) as refused:
        Sender(private=True).send(endpoint(f"http://127.0.0.1:{port}/"), MESSAGE)
    assert refused.value.final


def test_a_certificate_that_is_not_the_hosts_is_refused() -> None:
    with answering(b"no TLS") as (port, _), pytest.raises(NotDelivered, match="SSL"):
        Sender(private=True).send(endpoint(f"https://127.0.0.1:{port}/"), MESSAGE)
