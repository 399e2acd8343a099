"""CuttingProxy: stands between two processes and cuts their connections."""

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
    """Passes TCP connections, or those of Unix sockets, on, and cuts each after a random number of bytes.

    A cut is anywhere, in the middle of a frame too: some of the bytes under way are delivered, the rest
    is dropped, and both ends see their connection break. Use it as ``async with CuttingProxy(...)``.

    Args:
        target: where connections are passed on to: ``(host, port)`` or the path of a Unix socket.
        listen: where they come in; ``("127.0.0.1", 0)`` is a free port, which ``address`` tells.
        seed: for the byte counts.
        cut_after: lowest and highest number of bytes, both directions together, that one lives for.

    Attributes:
        cuts: how many connections were cut.
        cutting: set it to False, and connections live on.
        max_cuts: after so many cuts connections live on; None: never.
        address: where connections come in.
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
            with contextlib.suppress(FileNotFoundError):  # later versions of Python remove it
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
        """Whether a connection whose time has come is to break."""
        return self.cutting and (self.max_cuts is None or self.cuts < self.max_cuts)

    async def connect(self, make: Callable[[], _End]) -> None:
        """Connect to the target."""
        loop = asyncio.get_running_loop()
        if isinstance(self._target, str):
            await loop.create_unix_connection(make, self._target)
        else:
            await loop.create_connection(make, *self._target)

    def start(self, connecting: Coroutine[Any, Any, None]) -> None:
        """Let *connecting* run."""
        task = asyncio.get_running_loop().create_task(connecting)
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def opened(self, end: _End) -> None:
        """A transport is open."""
        self._ends.add(end)

    def closed(self, end: _End) -> None:
        """A transport is gone."""
        self._ends.discard(end)

    def forget(self, pair: _Pair) -> None:
        """A connection is gone."""
        self._pairs.discard(pair)

    def _accept(self) -> _End:
        pair = _Pair(self, self._random.randint(*self._cut_after))
        self._pairs.add(pair)
        return pair.near


class _Pair:
    """A connection that came in, and the one that it is passed on by."""

    def __init__(self, proxy: CuttingProxy, life: int) -> None:
        self.proxy = proxy
        self.near, self.far = _End(self), _End(self)
        self.near.other, self.far.other = self.far, self.near
        self._left = life
        self._cut = False

    async def connect(self) -> None:
        """Find the other end; without one, the connection that came in breaks."""
        try:
            await self.proxy.connect(lambda: self.far)
        except OSError:
            self.abort()

    def pass_on(self, data: bytes, end: _End) -> None:
        """Send *data* to *end*, or a part of it and no more."""
        self._left -= len(data)
        if self._left < 0 and self.proxy.may_cut and not self._cut:
            end.write(data[: self._left])
            self.cut()
        elif not self._cut:
            end.write(data)

    def cut(self) -> None:
        """Break both connections, after what was written."""
        if not self._cut:
            self._cut = True
            self.proxy.cuts += 1
            self.close()

    def close(self) -> None:
        """Break both connections in an orderly way."""
        self.proxy.forget(self)
        for end in (self.near, self.far):
            end.close()

    def abort(self) -> None:
        """Break both connections now."""
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
            self._transport.pause_reading()  # until there is somebody to pass it on to
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
        """Read no more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Read again: the other end takes more."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """Send what was written, then break."""
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Break now."""
        self._closed = True
        if self._transport is not None:
            self._transport.abort()
