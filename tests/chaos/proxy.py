"""A TCP proxy that can be told to misbehave: to be slow, to cut, to swallow, to refuse."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

Connect = Callable[[], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]

_PIECE_BYTES: Final = 64 * 1024


class Proxy:
    """Passes bytes between a port of loopback and a service, in a thread of its own.

    delay_s: how long each piece is held.  swallowing: pieces of the connections that are open now go nowhere,
    and nobody is told.  refusing: who connects is turned away at once.
    """

    def __init__(self, port: int, connect: Connect) -> None:
        self.port = port
        self.delay_s = 0.0
        self.refusing = False
        self._connect = connect
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=f"proxy {port}", daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        listening = asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(listening, self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def cut(self) -> None:
        """End all connections that are open now, without a goodbye."""
        self._loop.call_soon_threadsafe(self._cut)

    def swallow(self) -> None:
        """Let all connections that are open now go silent for ever."""
        self._loop.call_soon_threadsafe(lambda: self._swallowed.update(self._open))

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._open) // 2

    def _cut(self) -> None:
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refusing:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await self._connect()
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._open |= both
        ways = [self._pass_on(reader, far_writer), self._pass_on(far_reader, writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        try:
            with suppress(asyncio.CancelledError):
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            self._open -= both
            self._swallowed -= both
            for one in both:
                one.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                if writer not in self._swallowed:
                    writer.write(piece)
                    await writer.drain()

    async def _end(self) -> None:
        self._server.close()
        self._cut()
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
