"""FaultyConnector: a connector whose links break at random places, or stall."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any, ClassVar, Final, Self

from ..abc import Connector, Link, LinkReceiver, Listener

__all__ = ["FaultyConnector"]

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
        self._links: set[_FaultyLink] = set()
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
        link.attach(await self.inner.connect(link))
        return link

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        inner = broken.inner if isinstance(broken, _FaultyLink) else None
        if inner is None:
            return await self.connect(receiver)
        link = self._new_link()
        link.receiver = receiver
        link.attach(await self.inner.connect_again(link, inner))
        return link

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        def accept_faulty(inner: Link) -> LinkReceiver:
            link = self._new_link()
            link.attach(inner)
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

    # -- for the links

    @property
    def stalled(self) -> bool:
        """Whether bytes are held up."""
        return self._stalled

    @property
    def may_cut(self) -> bool:
        """Return whether a link that is due may be cut."""
        return self.cutting and (self.max_cuts is None or self.cuts < self.max_cuts)

    def count_cut(self, link: _FaultyLink) -> None:
        """Count a link that was cut."""
        self.cuts += 1
        self._links.discard(link)

    def forget(self, link: _FaultyLink) -> None:
        """Remove a link that broke by itself."""
        self._links.discard(link)

    def _new_link(self) -> _FaultyLink:
        link = _FaultyLink(self, self._random.randint(*self._cut_after))
        self._links.add(link)
        return link


class _FaultyLink(Link):
    """One end of an inner link, and the inner link's receiver."""

    def __init__(self, connector: FaultyConnector, life: int) -> None:
        self._connector = connector
        self._left = life
        self._inner: Link | None = None
        self._dead = False
        self._was_cut = False
        self._reported = False
        self._held_out: list[bytes] = []
        self._held_out_size = 0
        self._held_in: list[bytes] = []
        self.writable = True

    def attach(self, inner: Link) -> None:
        """Use *inner* to carry the bytes."""
        self._inner = inner
        self.peer = inner.peer
        self.lingers = inner.lingers
        self.writable = inner.writable

    @property
    def inner(self) -> Link | None:
        """The link that carries the bytes."""
        return self._inner

    # -- the session's side

    def send(self, data: bytes) -> None:
        if self._dead or self._inner is None:
            return
        if self._connector.stalled or self._held_out:
            self._held_out.append(data)
            self._held_out_size += len(data)
            self.writable = self._held_out_size < _HIGH_WATER
            return
        self._left -= len(data)
        if self._left < 0 and self._connector.may_cut:
            self._inner.send(data[: self._left])
            self.cut()
        else:
            self._inner.send(data)
            self.writable = self._inner.writable

    def close(self) -> None:
        self._dead = True
        if self._inner is not None:
            self._inner.close()

    def abort(self) -> None:
        self._dead = True
        if self._inner is not None:
            self._inner.abort()

    # -- the inner link's reports

    def data_received(self, data: bytes) -> None:
        if self._reported or self._was_cut:
            return
        if self._connector.stalled or self._held_in:
            self._held_in.append(data)
            return
        self._left -= len(data)
        if self._left < 0 and self._connector.may_cut and not self._dead:
            self.receiver.data_received(data[: self._left])
            self.cut(abort=True)
        else:
            self.receiver.data_received(data)

    def link_writable(self) -> None:
        if not (self._held_out or self._dead):
            self.writable = True
            self.receiver.link_writable()

    def link_broken(self, error: Exception | None) -> None:
        self._dead = True
        self._connector.forget(self)
        self._report(error)

    # -- faults

    def cut(self, *, abort: bool = False) -> None:
        """Break the link, after sending what it has taken or at once. Nothing arrives here any more."""
        if self._dead or self._inner is None:
            return
        self._dead = self._was_cut = True
        self._held_out.clear()
        self._held_in.clear()
        self._connector.count_cut(self)
        if abort:
            self._inner.abort()
        else:
            self._inner.close()
        asyncio.get_running_loop().call_soon(self._report, ConnectionResetError("the link was cut"))

    def go_on(self) -> None:
        """Continue after a stall."""
        out, self._held_out, self._held_out_size = b"".join(self._held_out), [], 0
        into, self._held_in = b"".join(self._held_in), []
        was_writable = self.writable
        if out:
            self.send(out)
        if into:
            self.data_received(into)
        if not was_writable and self._inner is not None and self._inner.writable:
            self.link_writable()

    def _report(self, error: Exception | None) -> None:
        if not self._reported:
            self._reported = True
            self.receiver.link_broken(error)
