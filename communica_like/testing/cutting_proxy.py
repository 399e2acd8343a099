"""CuttingProxy: a proxy between two processes that cuts their connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
from asyncio import StreamReader, StreamWriter
from random import Random
from types import TracebackType
from typing import Self

Address = tuple[str, int] | str
"""Host and port, or the path of a Unix socket."""


class CuttingProxy:
    """Forwards TCP or Unix connections, and cuts each after a random number of bytes.

    A cut may come in the middle of a frame: some of the bytes under way are delivered, the rest is dropped,
    and both ends see their connection break. Use it as ``async with CuttingProxy(...)``.

    Args:
        target: where to forward to: ``(host, port)``, or the path of a Unix socket.
        listen: where to accept connections; ``("127.0.0.1", 0)`` takes a free port: see ``address``.
        seed: of the random numbers.
        cut_after: lowest and highest number of bytes, of both directions together, before a cut.

    Attributes:
        cuts: the number of connections that were cut.
        cutting: set to False to cut no more.
        max_cuts: the number of cuts after which connections are left alone, or None.
        address: where it accepts connections.
    """

    def __init__(
        self,
        target: Address,
        *,
        listen: Address = ("127.0.0.1", 0),
        seed: int = 0,
        cut_after: tuple[int, int] = (1_000, 100_000),
    ) -> None:
        self.address = listen
        self.cuts = 0
        self.cutting = True
        self.max_cuts: int | None = None
        self._target = target
        self._random = Random(seed)
        self._cut_after = cut_after
        self._server: asyncio.Server | None = None
        self._connections: dict[asyncio.Task[None], list[StreamWriter]] = {}

    async def __aenter__(self) -> Self:
        if isinstance(self.address, str):
            self._server = await asyncio.start_unix_server(self._accept, self.address, backlog=4096)
        else:
            self._server = await asyncio.start_server(self._accept, *self.address, backlog=4096)
            self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        if isinstance(self.address, str):
            with contextlib.suppress(FileNotFoundError):  # newer versions of Python remove it
                os.unlink(self.address)
        connections = dict(self._connections)
        for forwarding, ends in connections.items():
            for end in ends:
                end.transport.abort()
            forwarding.cancel()
        await asyncio.gather(*connections, *map(_closed, connections.values()), return_exceptions=True)

    def cut(self) -> None:
        """Cut all connections now."""
        for ends in self._connections.values():
            self._cut(ends)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        ends = [writer]
        forwarding = asyncio.get_running_loop().create_task(self._forward(reader, ends))
        self._connections[forwarding] = ends
        forwarding.add_done_callback(self._connections.pop)

    async def _forward(self, near: StreamReader, ends: list[StreamWriter]) -> None:
        left = self._random.randint(*self._cut_after)

        async def pass_on(reader: StreamReader, end: StreamWriter) -> None:
            nonlocal left
            with contextlib.suppress(OSError):
                while (data := await reader.read(1 << 16)) and not end.is_closing():
                    left -= len(data)
                    if left < 0 and self.cutting and (self.max_cuts is None or self.cuts < self.max_cuts):
                        end.write(data[:left])
                        self._cut(ends)
                    else:
                        end.write(data)
                        await end.drain()
            _close(ends)

        try:
            if isinstance(self._target, str):
                far, end = await asyncio.open_unix_connection(self._target)
            else:
                far, end = await asyncio.open_connection(*self._target)
        except OSError:
            ends[0].transport.abort()
        else:
            ends.append(end)
            await asyncio.gather(pass_on(near, end), pass_on(far, ends[0]))
        await _closed(ends)

    def _cut(self, ends: list[StreamWriter]) -> None:
        """Break a connection after sending what was written."""
        if not ends[0].is_closing():
            self.cuts += 1
            _close(ends)


def _close(ends: list[StreamWriter]) -> None:
    for end in ends:
        end.close()


async def _closed(ends: list[StreamWriter]) -> None:
    await asyncio.gather(*(end.wait_closed() for end in ends), return_exceptions=True)
