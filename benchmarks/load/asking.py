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
    gauge = Gauge(os.getpid())
    asker = _Asker(port, keys, rate, int(rate * seconds))
    elapsed_s = asker.run(seconds + GRACE_S)
    answered = len(asker.latencies_s)
    return Answers(sorted(asker.latencies_s), asker.total - answered, elapsed_s, gauge.share())


class _Asker:
    """Requests that are due at fixed moments, over as many connections as it takes, up to a limit."""

    def __init__(self, port: int, keys: list[str], rate: float, total: int) -> None:
        self.total = total
        self.latencies_s: list[float] = []
        self._requests = [f"GET /status/{key} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode() for key in keys]
        self._port = port
        self._rate = rate
        self._sent = 0
        self._lost = 0
        self._lines = 0
        self._free: deque[_Line] = deque()
        self._selector = selectors.DefaultSelector()
        self._began = 0.0

    def run(self, most_s: float) -> float:
        """Ask everything. Returns the seconds that it took."""
        self._began = time.perf_counter()
        while len(self.latencies_s) + self._lost < self.total:
            now = time.perf_counter()
            if now - self._began > most_s:
                break
            while self._sent < self.total and self._due <= now and self._can_send:
                self._send()
            wait_s = self._due - time.perf_counter() if self._sent < self.total and self._can_send else 0.1
            for ready, _ in self._selector.select(max(0.0, wait_s)):
                self._receive(ready.data)
        return time.perf_counter() - self._began

    @property
    def _due(self) -> float:
        return self._began + self._sent / self._rate

    @property
    def _can_send(self) -> bool:
        return bool(self._free) or self._lines < CONNECTIONS

    def _send(self) -> None:
        line = self._free.popleft() if self._free else self._open()
        line.due = self._due
        self._sent += 1
        try:
            line.socket.send(self._requests[self._sent % len(self._requests)])
        except OSError:
            self._close(line)

    def _receive(self, line: _Line) -> None:
        try:
            good = line.answered()
        except OSError:
            self._close(line)
            return
        if good is None:
            return
        if good:
            self.latencies_s.append(time.perf_counter() - line.due)
        else:
            self._lost += 1
        line.due = 0.0
        self._free.append(line)

    def _open(self) -> _Line:
        line = _Line(self._port)
        self._lines += 1
        self._selector.register(line.socket, selectors.EVENT_READ, line)
        return line

    def _close(self, line: _Line) -> None:
        """The server has ended the connection; a request that waited on it is lost."""
        self._lost += line.due > 0
        self._selector.unregister(line.socket)
        line.socket.close()
        self._lines -= 1
        if line in self._free:
            self._free.remove(line)
