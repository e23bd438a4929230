"""gunicorn's threaded worker, made fit for clients that are slow, silent or malformed.

A thread is for a request that has arrived. Whoever connects and says nothing, or lets a request trickle in,
waits in the poller, which costs no thread, and is closed after a while; so a few hundred idle connections do
not keep anybody else out. What memory can answer is answered by the thread that polls; a stream takes its
socket to a thread that has all of them. Answers are written with a deadline, too: the kernel drops a reader
that takes nothing any more.
"""

from __future__ import annotations

import fcntl
import json
import re
import socket
import sys
import termios
import time
from collections.abc import Callable
from functools import partial
from selectors import EVENT_READ
from types import FrameType
from typing import Any, Final

import structlog
from gunicorn.http.errors import (
    ConfigurationProblem,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_nonblock
from gunicorn.workers.gthread import TConn, ThreadWorker

from inspector.api.guard import MAX_BODY_BYTES
from inspector.api.problems import TYPE_PREFIX
from inspector.api.quick import FOUND
from inspector.api.stream import Live

_OURS: Final = (ConfigurationProblem, InvalidResponseHeader, InvalidResponseHeaderName)  # not the client's
REQUEST_S: Final = 10.0  # for all of a request
REQUEST_BYTES: Final = 2 * MAX_BODY_BYTES  # a larger one goes to the parser, which refuses it
READING_S: Final = 20.0  # then nothing more is read of what was let through; its answer may take longer
LINGER_S: Final = 2.0  # for the other side to close, once it has its answer
UNREAD_MS: Final = 30_000  # a reader that acknowledges nothing for so long is dropped

_CONTENT_LENGTH: Final = re.compile(
    rb"^content-length:[ \t]*(\d{1,9})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE
)

log = structlog.get_logger(__name__)


def drop_stalled(listener: socket.socket) -> None:
    """Let the kernel close connections of this listener whose reader has stopped reading."""
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """When it is asked to stop, it asks the streams to end. application: what answers."""

    stop_streams: Callable[[], None] | None = None
    quick: Callable[[bytes], object] | None = None  # what a request is answered with, if memory has it
    wsgi: Any
    application: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._reading_since: dict[TConn, float] = {}
        self._handed_over: set[socket.socket] = set()
        self._found: dict[socket.socket, object] = {}  # in memory, for the request of this connection
        self._lingering: dict[socket.socket, float] = {}  # until when

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM. Only the first one counts: a second may come while the flag is being set."""
        first = self.alive
        super().handle_exit(sig, frame)
        if first and self.stop_streams is not None:
            self.stop_streams()

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """SIGINT and SIGQUIT: as gentle, since streams end at once and the grace is short."""
        self.handle_exit(sig, frame)

    # ------------------------------------------------------------ in the main thread

    def enqueue_req(self, conn: TConn) -> None:
        """Hand a connection to a thread; a new one waits for its request first."""
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
            return
        conn.close = partial(self._close, conn)
        conn.timeout = time.monotonic() + REQUEST_S
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Something of a first request has arrived."""
        if _arrived(client) is not None:
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Something of a further request has arrived; gunicorn closes the connection if the rest is late."""
        request = _arrived(client)
        if request is None:
            return
        found = self.quick(request) if self.quick is not None and self.alive else None
        if found is None or _unsent_bytes(client):
            super().on_client_socket_readable(conn, client)
        else:
            self._found[client] = found
            self._answer_at_once(conn)

    def _answer_at_once(self, conn: TConn) -> None:
        """Answer here: all that it takes is in memory, and the kernel has room for it."""
        self.keepalived_conns.remove(conn)
        if self.handle(conn):
            conn.sock.setblocking(False)
            conn.set_timeout()
            self.keepalived_conns.append(conn)
        else:
            self.poller.unregister(conn.sock)
            self.nr_conns -= 1
            conn.close(graceful=True)

    def murder_pending(self) -> None:
        """Called every second: close what has waited for too long, stop reading from those that trickle."""
        super().murder_pending()
        now = time.monotonic()
        for conn, since in list(self._reading_since.items()):
            if now - since > READING_S:
                self._reading_since.pop(conn, None)
                _stop_reading(conn.sock)
        for client in [client for client, until in self._lingering.items() if until < now]:
            self._let_go(client)

    def _close(self, conn: TConn, graceful: bool = False) -> None:
        """End a connection; gently, if asked, so that the last answer is not cut off by bytes left unread.

        gunicorn waits here for the other side, two seconds in which nobody else is let in.
        Source: RFC 9112, section 9.6.
        """
        client = conn.sock
        if client in self._handed_over:
            self._handed_over.remove(client)
            return
        if not graceful or not _ends_writing(client):
            client.close()
            return
        self._lingering[client] = time.monotonic() + LINGER_S
        self.poller.register(client, EVENT_READ, self._drain)

    def _drain(self, client: socket.socket) -> None:
        try:
            more = client.recv(REQUEST_BYTES)
        except OSError:
            more = b""
        if not more:
            self._let_go(client)

    def _let_go(self, client: socket.socket) -> None:
        del self._lingering[client]
        self.poller.unregister(client)
        client.close()

    # ------------------------------------------------------------ in a thread

    def load_wsgi(self) -> None:
        """Build the application; the answers that are streams pass through our hands."""
        super().load_wsgi()
        self.application = self.wsgi
        self.wsgi = self._answer

    def _answer(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        """The application's answer. The socket of a stream leaves this thread, and this worker's books."""
        client: socket.socket = environ["gunicorn.socket"]
        environ[FOUND] = self._found.pop(client, None)
        body = self.application(environ, start_response)
        if not isinstance(body, Live):
            return body
        answer = start_response.__self__  # type: ignore[attr-defined]  # gunicorn's Response
        try:
            answer.force_close()
            answer.chunked = False  # it ends when the connection does
            answer.send_headers()
        except BaseException:
            body.close()
            raise
        body.hand_over(client)
        self._handed_over.add(client)
        return ()

    def handle(self, conn: TConn) -> Any:
        """One request. Who sends the next before the answer has to connect anew: it may not be whole."""
        self._reading_since[conn] = time.monotonic()
        try:
            goes_on = super().handle(conn)
        finally:
            self._reading_since.pop(conn, None)
        return goes_on and not conn.parser.unreader.buf.getvalue()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """Answer what is no HTTP as a problem, and quote nothing of it."""
        if not isinstance(exc, ParseException) or isinstance(exc, _OURS):
            super().handle_error(req, client, addr, exc)
            return
        log.info("request_malformed", kind=type(exc).__name__)
        status, reason = _status_of(exc)
        write_nonblock(client, _problem(status, reason))


def _arrived(client: socket.socket) -> bytes | None:
    """A request, once all of it is there or nothing more will come; None while the poller waits for more."""
    try:
        seen = client.recv(REQUEST_BYTES, socket.MSG_PEEK)
    except OSError:
        return b""
    needed = bytes_needed(seen)
    woken_for = client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT)
    arrived = len(seen) >= min(needed, REQUEST_BYTES) or len(seen) < woken_for
    wanted = 1 if arrived else needed
    if wanted != woken_for:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, wanted)
    return seen if arrived else None


def _unsent_bytes(client: socket.socket) -> int:
    """What the other side has not acknowledged. Source: tcp(7), SIOCOUTQ."""
    return int.from_bytes(fcntl.ioctl(client, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def bytes_needed(seen: bytes) -> int:
    """How many bytes a request has at least that begins so; a body that is too large is not waited for."""
    head, end, _ = seen.partition(b"\r\n\r\n")
    if not end:
        return len(seen) + 1
    length = _CONTENT_LENGTH.search(head)
    body = int(length[1]) if length else 0
    return len(head) + len(end) + (body if body <= MAX_BODY_BYTES else 0)


def _ends_writing(client: socket.socket) -> bool:
    """Tell the other side that nothing follows. Returns whether it still listens."""
    try:
        client.shutdown(socket.SHUT_WR)
        client.setblocking(False)
    except OSError:
        return False
    return True


def _stop_reading(client: socket.socket) -> None:
    """The thread that waits for more reads the end instead; what it writes still goes out."""
    try:
        client.shutdown(socket.SHUT_RD)
    except OSError:
        return  # closed meanwhile


def _status_of(exc: ParseException) -> tuple[int, str]:
    if isinstance(exc, LimitRequestLine):
        return 414, "URI Too Long"
    if isinstance(exc, LimitRequestHeaders):
        return 431, "Request Header Fields Too Large"
    if isinstance(exc, UnsupportedTransferCoding):
        return 400, "Unsupported Transfer Coding"
    return 400, "Bad Request"


def _problem(status: int, reason: str) -> bytes:
    body = json.dumps(
        {"type": TYPE_PREFIX + reason.lower().replace(" ", "-"), "title": reason, "status": status}
    )
    return (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
