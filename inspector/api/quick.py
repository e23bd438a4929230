"""Which requests can be answered from memory, told from their first bytes.

The server answers these in the thread that receives them: to hand one to another thread costs as much as
the answer itself. So nothing here, and nothing that follows, may wait for anybody. Which thread answers
depends on it, never what is answered: the request goes through the whole application all the same.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from inspector.api.board import Snapshot
from inspector.api.finder import Finder

FOUND: Final = "inspector.found"  # the key of a WSGI environment under which the application finds it again
#: Small enough for the kernel to take at once, whatever a client does not read.
MOST_BYTES: Final = 2048  # frozen; two to four times as much as JSON

_REQUEST: Final = re.compile(rb"GET /status/([^\s?]+) HTTP/1\.1\r\n")
_STREAM: Final = b"event-stream"


class Quick:
    """Looks at requests for the status of one video."""

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def find(self, request: bytes) -> Snapshot | None:
        """What a request asks for, if memory tells; None if anything is unusual about it."""
        asked = _REQUEST.match(request)
        if asked is None or _STREAM in request:
            return None
        try:
            found = self._finder.remembered(unquote_to_bytes(asked[1]).decode())
        except UnicodeDecodeError:
            return None
        return found if found is not None and len(found.frozen) <= MOST_BYTES else None
