"""Clients that read streams, hundreds in one process; and some that open one and never read."""

from __future__ import annotations

import os
import selectors
import socket
import time
from dataclasses import dataclass, field
from typing import Final

from benchmarks.load.house import Gauge

_HEAD: Final = "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n{more}\r\n"
GRACE_S: Final = 10.0  # for the last events
SETTLE_S: Final = 2.0  # until those who hear of all videos have heard of the last


@dataclass(slots=True)
class Heard:
    """What one stream told: (id, when it arrived) of every event, and whether the server has ended it."""

    target: str
    events: list[tuple[int, float]] = field(default_factory=list)
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Listened:
    """heard: of every stream.  refused: how many were not opened.  share: of one core."""

    heard: list[Heard]
    refused: int
    share: float


def listen(port: int, targets: list[str], *, seconds: float, stalled: int = 0) -> Listened:
    """Read all targets until they end, or for so long; `stalled` more readers read nothing of `/events`."""
    gauge, selector = Gauge(os.getpid()), selectors.DefaultSelector()
    idle = [_open(port, "/events", "Last-Event-ID: 0\r\n", receive_bytes=4096) for _ in range(stalled)]
    streams: dict[socket.socket, tuple[Heard, bytearray]] = {}
    for target in targets:
        client = _open(port, target)
        client.setblocking(False)
        streams[client] = (Heard(target), bytearray())
        selector.register(client, selectors.EVENT_READ)
    heard = [each for each, _ in streams.values()]
    refused = 0
    deadline = time.perf_counter() + seconds + GRACE_S
    while streams and time.perf_counter() < deadline:
        for ready, _ in selector.select(0.2):
            client = ready.fileobj  # type: ignore[assignment]
            said, unread = streams[client]
            piece = client.recv(65536)
            unread += piece
            refused += unread.startswith(b"HTTP/1.1 ") and not unread.startswith(b"HTTP/1.1 200")
            _take_events(said, unread)
            if not piece:
                said.ended = True
                selector.unregister(client)
                del streams[client]
                client.close()
        if all(each.ended for each in heard if each.target != "/events"):
            deadline = min(deadline, time.perf_counter() + SETTLE_S)
    for client in [*idle, *streams]:
        client.close()
    return Listened(heard, refused, gauge.share())


def _open(port: int, target: str, more: str = "", *, receive_bytes: int = 0) -> socket.socket:
    client = socket.socket()
    if receive_bytes:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    client.connect(("127.0.0.1", port))
    client.sendall(_HEAD.format(target=target, more=more).encode())
    return client


def _take_events(said: Heard, unread: bytearray) -> None:
    """Note the ids of all whole events, and leave what is not whole."""
    now = time.perf_counter()
    while (end := unread.find(b"\n\n")) >= 0:
        event = bytes(unread[:end])
        del unread[: end + 2]
        if b"\ndata: " in event and event.startswith(b"id: "):
            said.events.append((int(event[4 : event.index(b"\n")]), now))
