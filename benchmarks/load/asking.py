"""A client that asks at a fixed rate, whether or not it is answered; meant for a process of its own.

Latency counts from the moment at which a request was due, so an answer that is late makes all that wait
behind it late as well: no coordinated omission. Source: G. Tene, "How NOT to Measure Latency".
"""

from __future__ import annotations

import os
import selectors
import socket
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from benchmarks.load.house import Gauge

CONNECTIONS: Final = 64
GRACE_S: Final = 5.0  # for the last answers


@dataclass(frozen=True, slots=True)
class Answers:
    """latencies_s: of every answer with status 200, ascending.  lost: without one.  share: of one core."""

    latencies_s: list[float]
    lost: int
    elapsed_s: float
    share: float

    def quantile_ms(self, share: float) -> float:
        """The latency that this share of the answers does not exceed."""
        if not self.latencies_s:
            return float("nan")
        return 1000 * self.latencies_s[min(len(self.latencies_s) - 1, int(share * len(self.latencies_s)))]


class _Line:
    """One connection that is kept alive."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.due = 0.0
        self.seen = b""

    def answered(self) -> bool | None:
        """Whether the answer was good; None while it is not whole."""
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError
        self.seen += piece
        head, end, body = self.seen.partition(b"\r\n\r\n")
        if not end:
            return None
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r", 1)[0])
        if len(body) < length:
            return None
        self.seen = b""
        return head.startswith(b"HTTP/1.1 200 ")


def ask(port: int, keys: list[str], *, rate: float, seconds: float) -> Answers:
    """Ask for the status of these keys in turn, `rate` times a second."""
    requests = [f"GET /status/{key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for key in keys]
    gauge, selector = Gauge(os.getpid()), selectors.DefaultSelector()
    free: deque[_Line] = deque()
    total, sent, lost, open_lines = int(rate * seconds), 0, 0, 0
    latencies: list[float] = []
    began = time.perf_counter() + 0.1
    while len(latencies) + lost < total:
        now = time.perf_counter()
        while sent < total and began + sent / rate <= now and (free or open_lines < CONNECTIONS):
            if not free:
                line = _Line(port)
                open_lines += 1
                selector.register(line.socket, selectors.EVENT_READ, line)
            else:
                line = free.popleft()
            line.due = began + sent / rate
            try:
                line.socket.send(requests[sent % len(requests)])
            except OSError:
                lost += 1
            sent += 1
        if now > began + seconds + GRACE_S:
            lost = total - len(latencies)
            break
        wait_s = began + sent / rate - time.perf_counter() if sent < total else 0.1
        for ready, _ in selector.select(max(0.0, wait_s) if free or open_lines < CONNECTIONS else 0.1):
            line = ready.data
            try:
                good = line.answered()
            except OSError:
                selector.unregister(line.socket)
                line.socket.close()
                open_lines -= 1
                lost += line.due > 0
                if line in free:
                    free.remove(line)
                continue
            if good is None:
                continue
            if good:
                latencies.append(time.perf_counter() - line.due)
            else:
                lost += 1
            line.due = 0.0
            free.append(line)
    return Answers(sorted(latencies), lost, time.perf_counter() - began, gauge.share())
