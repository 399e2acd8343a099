"""FaultyConnector: a connector whose links break at random places, or stall."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, Final, Self

from ..abc import Connector, Link, LinkReceiver, Listener

_HIGH_WATER: Final = 64 * 1024


class FaultyConnector(Connector):
    """Wraps a connector, and breaks its links after a random number of bytes.

    A break may come in the middle of a frame: some of the bytes under way are delivered, the rest is dropped,
    and both ends are told. Wrap the connector of one side only: bytes of both directions count.

    Args:
        inner: makes the links.
        seed: the same seed and the same traffic give the same cuts.
        cut_after: lowest and highest number of bytes before a link breaks.

    Attributes:
        cuts: the number of links that were cut.
        cutting: set to False to cut no more, to True to cut again.
        max_cuts: the number of cuts after which links are left alone, or None.
    """

    scheme: ClassVar[str] = "faulty"

    def __init__(
        self, inner: Connector, *, seed: int = 0, cut_after: tuple[int, int] = (1_000, 100_000)
    ) -> None:
        low, high = cut_after
        if not 0 <= low <= high:
            raise ValueError(f"cut_after is (low, high) with 0 <= low <= high, not {cut_after!r}")
        self.inner = inner
        self.authkey = inner.authkey
        # Attributes of the instance: the wrapped connector's.
        self.guarantees = inner.guarantees  # type: ignore[misc]
        self.handshake_timeout = inner.handshake_timeout  # type: ignore[misc]
        self.cuts = 0
        self.cutting = True
        self.max_cuts: int | None = None
        self._random = Random(seed)
        self._cut_after = cut_after
        self._links: set[_FaultyLink] = set()  # those that carry bytes
        self._stalled = False

    def __repr__(self) -> str:
        return f"FaultyConnector({self.inner!r}, cut_after={self._cut_after!r})"

    @property
    def reconnects(self) -> bool:
        return self.inner.reconnects

    @property
    def path(self) -> str | None:
        return self.inner.path

    async def connect(self, receiver: LinkReceiver) -> Link:
        link = self._new_link()
        link.receiver = receiver
        return link.attach(await self.inner.connect(link))

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        if not isinstance(broken, _FaultyLink):
            return await self.connect(receiver)
        link = self._new_link()
        link.receiver = receiver
        return link.attach(await self.inner.connect_again(link, broken.inner))

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        def accept_faulty(inner: Link) -> LinkReceiver:
            link = self._new_link().attach(inner)
            link.receiver = accept(link)
            return link

        return await self.inner.listen(accept_faulty)

    def dump_state(self) -> str:
        """Return the URL of the inner connector."""
        return self.inner.dump_state()

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        raise ValueError("a FaultyConnector has no URL of its own: load its inner connector and wrap it")

    def cut(self) -> None:
        """Cut all links now."""
        for link in list(self._links):
            link.cut()

    def stall(self) -> None:
        """Hold up all bytes, on all links, without breaking one, until ``resume``."""
        self._stalled = True

    def resume(self) -> None:
        """Deliver what ``stall`` held up, and continue."""
        self._stalled = False
        for link in list(self._links):
            link.go_on()

    def _new_link(self) -> _FaultyLink:
        return _FaultyLink(self, self._random.randint(*self._cut_after))


class _FaultyLink(Link):
    """One end of an inner link, and the inner link's receiver."""

    inner: Link

    def __init__(self, connector: FaultyConnector, life: int) -> None:
        self._connector = connector
        self._left = life
        self._told = False  # the receiver knows that the link has broken, or will in the loop's next turn
        self._held_out = bytearray()
        self._held_in = bytearray()

    def attach(self, inner: Link) -> Self:
        """Use *inner* to carry the bytes."""
        self.inner = inner
        self.peer = inner.peer
        self.lingers = inner.lingers
        self.writable = inner.writable
        if not self._told:
            self._connector._links.add(self)
        if not self._connector._stalled:
            self.go_on()  # with what came before the link was made
        return self

    # -- the session's side

    def send(self, data: bytes) -> None:
        if self not in self._connector._links:
            return
        if self._connector._stalled or self._held_out:
            self._held_out += data
            self.writable = len(self._held_out) < _HIGH_WATER
        elif self._spend(data):
            self.inner.send(data)
            self.writable = self.inner.writable
        else:
            self.inner.send(data[: self._left])
            self.cut()

    def close(self) -> None:
        self._connector._links.discard(self)
        self.inner.close()

    def abort(self) -> None:
        self._connector._links.discard(self)
        self.inner.abort()

    # -- the inner link's reports

    def data_received(self, data: bytes) -> None:
        if self._told:
            return
        if self._connector._stalled or self._held_in:
            self._held_in += data
        elif self._spend(data):
            self.receiver.data_received(data)
        else:
            self.receiver.data_received(data[: self._left])
            self.cut(abort=True)

    def link_writable(self) -> None:
        if self in self._connector._links and not self._held_out:
            self.writable = True
            self.receiver.link_writable()

    def link_broken(self, error: Exception | None) -> None:
        self._connector._links.discard(self)
        if not self._told:
            self._told = True
            self.receiver.link_broken(error)

    # -- faults

    def _spend(self, data: bytes) -> bool:
        """Count *data*; return False if the link is to be cut within it."""
        self._left -= len(data)
        connector = self._connector
        may_cut = connector.cutting and (connector.max_cuts is None or connector.cuts < connector.max_cuts)
        return self._left >= 0 or not may_cut or self not in connector._links

    def cut(self, *, abort: bool = False) -> None:
        """Break the link, after sending what it has taken or at once. Nothing arrives here any more."""
        if self not in self._connector._links:
            return
        self._told = True
        self._held_out.clear()
        self._held_in.clear()
        self._connector.cuts += 1
        self._connector._links.discard(self)
        if abort:
            self.inner.abort()
        else:
            self.inner.close()
        error = ConnectionResetError("the link was cut")
        asyncio.get_running_loop().call_soon(lambda: self.receiver.link_broken(error))

    def go_on(self) -> None:
        """Continue after a stall."""
        out, self._held_out = self._held_out, bytearray()
        into, self._held_in = self._held_in, bytearray()
        was_writable = self.writable
        if out:
            self.send(bytes(out))
        if into:
            self.data_received(bytes(into))
        if not was_writable and self.inner.writable:
            self.link_writable()
