"""CuttingProxy: a proxy between two processes that cuts their connections."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine
from random import Random
from types import TracebackType
from typing import Any, Self, cast

__all__ = ["CuttingProxy"]

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
        self._pairs: set[_Pair] = set()
        self._connecting: set[asyncio.Task[None]] = set()
        self._ends: set[_End] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if isinstance(self.address, str):
            self._server = await loop.create_unix_server(self._accept, self.address, backlog=4096)
        else:
            self._server = await loop.create_server(self._accept, *self.address, backlog=4096)
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
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        ends = list(self._ends)
        for end in ends:
            end.abort()
        await asyncio.gather(*(end.gone for end in ends))

    def cut(self) -> None:
        """Cut all connections now."""
        for pair in list(self._pairs):
            pair.cut()

    # -- for the connections

    @property
    def may_cut(self) -> bool:
        """Return whether a connection that is due may be cut."""
        return self.cutting and (self.max_cuts is None or self.cuts < self.max_cuts)

    async def connect(self, make: Callable[[], _End]) -> None:
        """Connect to the target."""
        loop = asyncio.get_running_loop()
        if isinstance(self._target, str):
            await loop.create_unix_connection(make, self._target)
        else:
            await loop.create_connection(make, *self._target)

    def start(self, connecting: Coroutine[Any, Any, None]) -> None:
        """Start the task of *connecting*."""
        task = asyncio.get_running_loop().create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def opened(self, end: _End) -> None:
        """A transport was opened."""
        self._ends.add(end)

    def closed(self, end: _End) -> None:
        """A transport was closed."""
        self._ends.discard(end)

    def forget(self, pair: _Pair) -> None:
        """A connection has ended."""
        self._pairs.discard(pair)

    def _accept(self) -> _End:
        pair = _Pair(self, self._random.randint(*self._cut_after))
        self._pairs.add(pair)
        return pair.near


class _Pair:
    """An accepted connection, and the one that it is forwarded over."""

    def __init__(self, proxy: CuttingProxy, life: int) -> None:
        self.proxy = proxy
        self.near, self.far = _End(self), _End(self)
        self.near.other, self.far.other = self.far, self.near
        self._left = life
        self._cut = False

    async def connect(self) -> None:
        """Connect to the target; if that fails, break the accepted connection."""
        try:
            await self.proxy.connect(lambda: self.far)
        except OSError:
            self.abort()

    def pass_on(self, data: bytes, end: _End) -> None:
        """Send *data* to *end*, or cut after a part of it."""
        self._left -= len(data)
        if self._left < 0 and self.proxy.may_cut and not self._cut:
            end.write(data[: self._left])
            self.cut()
        elif not self._cut:
            end.write(data)

    def cut(self) -> None:
        """Break both connections after sending what was written."""
        if not self._cut:
            self._cut = True
            self.proxy.cuts += 1
            self.close()

    def close(self) -> None:
        """Close both connections."""
        self.proxy.forget(self)
        for end in (self.near, self.far):
            end.close()

    def abort(self) -> None:
        """Abort both connections."""
        self.proxy.forget(self)
        for end in (self.near, self.far):
            end.abort()


class _End(asyncio.Protocol):
    other: _End

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._pair.proxy.opened(self)
        if self._closed:
            self._transport.abort()
        elif self is self._pair.near:
            self._transport.pause_reading()  # until the target is connected
            self._pair.proxy.start(self._pair.connect())
        else:
            self.other.go_on()

    def data_received(self, data: bytes) -> None:
        self._pair.pass_on(data, self.other)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self.gone.set_result(None)
        self._pair.proxy.closed(self)
        self._pair.close()

    def pause_writing(self) -> None:
        self.other.pause()

    def resume_writing(self) -> None:
        self.other.go_on()

    def pause(self) -> None:
        """Stop reading."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again, now that the other end takes more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Send what was written, then close."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()
