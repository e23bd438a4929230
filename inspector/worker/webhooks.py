"""Webhooks: signed by the Standard Webhooks scheme, sent to public addresses only, waited for only so long.

Who may name an endpoint could make us knock at doors inside our network. So a name is resolved once, every
address of it is judged, and the connection goes to that very address: no second look-up (DNS rebinding), no
redirect, no more of the answer read than its beginning.

Source: the Standard Webhooks specification, sections "Signature scheme" and "Server side request forgery".
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from inspector.settings import WebhookEndpoint
from inspector.store.outbox import Message

TIMEOUT_S: Final = 10.0  # for everything, from the look-up to the answer
_READ_BYTES: Final = 4096
_GONE: Final = 410  # the endpoint wants no more of this
_AGENT: Final = "video-inspector"
#: Addresses of IPv6 that carry one of IPv4, which may be any: NAT64 (RFC 6052, 8215).
_TRANSLATED: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], list[str]]


class NotDelivered(Exception):
    """The endpoint does not have it. status: what it answered, if it did.  final: it wants no more."""

    def __init__(self, reason: str, *, status: int | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.final = status == _GONE


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a host. Raises OSError."""
    return list(
        dict.fromkeys(str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    )


def is_public(address: str) -> bool:
    """Whether everybody may be sent there: no loopback, private, link-local, shared or reserved address."""
    try:
        ip: Address = ipaddress.ip_address(address)
    except ValueError:  # with a zone, such as fe80::1%eth0
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo and ip.teredo[1])
        if inner:
            return is_public(str(inner))
        if any(ip in network for network in _TRANSLATED):
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends messages to endpoints. private: also to addresses that are not public."""

    private: bool = False
    timeout_s: float = TIMEOUT_S
    resolve: Resolve = resolve

    def send(self, endpoint: WebhookEndpoint, message: Message, *, now: datetime | None = None) -> int:
        """Returns the status, one of 2xx. Raises NotDelivered."""
        body = body_of(message)
        headers = signed(endpoint, message.event_id, body, now or datetime.now(UTC))
        target = urlsplit(endpoint.url)
        host, secure = target.hostname or "", target.scheme == "https"
        port = target.port or (443 if secure else 80)
        try:
            address = self._pick(host, port)
            with self._connected(address, port, host if secure else None) as connection:
                path = target.path or "/"
                connection.request(
                    "POST", f"{path}?{target.query}" if target.query else path, body.encode(), headers
                )
                answer = connection.getresponse()
                answer.read(_READ_BYTES)
        except (OSError, http.client.HTTPException) as exc:
            raise NotDelivered(f"{type(exc).__name__}: {exc}") from exc
        if not 200 <= answer.status < 300:
            raise NotDelivered(f"answered {answer.status}", status=answer.status)
        return answer.status

    def _pick(self, host: str, port: int) -> str:
        """The address to connect to. Raises NotDelivered if the host has none that is permitted."""
        found = self.resolve(host, port)
        permitted = [address for address in found if self.private or is_public(address)]
        if not permitted:
            raise NotDelivered("its address is private: INSPECTOR_WEBHOOK_PRIVATE permits that")
        return permitted[0]

    @contextmanager
    def _connected(
        self, address: str, port: int, secure_name: str | None
    ) -> Iterator[http.client.HTTPConnection]:
        """A connection to this address and no other; cut when the time is up, however slowly it drips."""
        raw = socket.create_connection((address, port), timeout=self.timeout_s)
        watch = threading.Timer(self.timeout_s, _cut, [raw])
        watch.start()
        try:
            connection = http.client.HTTPConnection(address, port, timeout=self.timeout_s)
            connection.sock = (
                ssl.create_default_context().wrap_socket(raw, server_hostname=secure_name)
                if secure_name
                else raw
            )
            try:
                yield connection
            finally:
                connection.close()
        finally:
            watch.cancel()
            watch.join()
            raw.close()


def body_of(message: Message) -> str:
    """What is sent: the same at each attempt."""
    at = message.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return json.dumps({"type": message.kind, "timestamp": at, "data": message.data}, separators=(",", ":"))


def signed(endpoint: WebhookEndpoint, message_id: str, body: str, now: datetime) -> dict[str, str]:
    """The headers of one attempt."""
    signature = Webhook(endpoint.secret.get_secret_value()).sign(message_id, now, body)
    return {
        "Host": urlsplit(endpoint.url).netloc.rpartition("@")[2],
        "Content-Type": "application/json",
        "User-Agent": _AGENT,
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": signature,
    }


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
