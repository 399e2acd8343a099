"""A connector as a third party would write it, and others like it that each break one promise.

They are registered by entry points, as ``wire`` and ``wire-<fault>``; see test_third_party.py.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from communica_like import LocalConnector
from communica_like.abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from communica_like.exceptions import LinkRefused, PeerGone


class WireLink(Link):
    """A link over another link, whose receiver it is."""

    inner: Link

    def attach(self, inner: Link) -> None:
        self.inner = inner
        self.peer = inner.peer
        self.writable = inner.writable

    def send(self, data: bytes) -> None:
        self.inner.send(data)
        self.writable = self.inner.writable

    def close(self) -> None:
        self.inner.close()

    def abort(self) -> None:
        self.inner.abort()

    def data_received(self, data: bytes) -> None:
        self.receiver.data_received(data)

    def link_writable(self) -> None:
        self.writable = True
        self.receiver.link_writable()

    def link_broken(self, error: Exception | None) -> None:
        self.receiver.link_broken(error)


@dataclass(frozen=True)
class WireConnector(Connector):
    """Links over a Unix socket at *path*."""

    scheme: ClassVar[str] = "wire"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(verifies_user=True)
    link: ClassVar[type[WireLink]] = WireLink

    path: str
    authkey: bytes | None = field(default=None, repr=False)

    async def connect(self, receiver: LinkReceiver) -> Link:
        link = self.link()
        link.receiver = receiver
        link.attach(await LocalConnector(self.path).connect(link))
        return link

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        def accept_inner(inner: Link) -> LinkReceiver:
            link = self.link()
            link.attach(inner)
            link.receiver = accept(link)
            return link

        listener = await LocalConnector(self.path).listen(accept_inner)
        listener.address = self.dump_state()
        return listener

    def dump_state(self) -> str:
        return f"{self.scheme}://{self.path}"

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        scheme, _, path = text.partition("://")
        if scheme != cls.scheme or not path.startswith("/"):
            raise ValueError(f"{cls.scheme}:///path is expected, not {text!r}")
        return cls(path, **secrets)


# -- one whose client starts the server, which has no other


class OnceListener(Listener):
    """Listens for one link, and is over with it."""

    def __init__(self, inner: Listener, over: asyncio.Event, address: str) -> None:
        self.inner = inner
        self.over = over
        self.address = address

    async def close(self) -> None:
        await self.inner.close()

    async def wait_over(self) -> None:
        await self.over.wait()


class OnceConnector(WireConnector):
    """What the child serves: one link."""

    scheme = "wire-once"
    guarantees = ConnectorGuarantees(many_clients=False, resumes=False)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        over = asyncio.Event()

        class Only(WireLink):
            def link_broken(self, error: Exception | None) -> None:
                over.set()
                super().link_broken(PeerGone("the only client is gone"))

        def accept_only(inner: Link) -> LinkReceiver:
            link = Only()
            link.attach(inner)
            link.receiver = accept(link)
            return link

        inner = await LocalConnector(self.path).listen(accept_only)
        return OnceListener(inner, over, self.dump_state())


class ChildLink(WireLink):
    """A link to a child, which is looked after until it ends."""

    child: subprocess.Popen[bytes]

    def link_broken(self, error: Exception | None) -> None:
        threading.Thread(target=self.child.wait).start()
        super().link_broken(PeerGone("the child is gone"))


class ChildConnector(WireConnector):
    """Starts a server as its child, at *path* and a number."""

    scheme = "wire-child"
    guarantees = OnceConnector.guarantees
    link = ChildLink
    numbers = itertools.count()

    @property
    def reconnects(self) -> bool:
        return False

    async def connect(self, receiver: LinkReceiver) -> Link:
        path = f"{self.path}-{os.getpid()}-{next(self.numbers)}"
        program = [sys.executable, "-m", "communica_like.testing.conformance.server"]
        child = subprocess.Popen([*program, f"wire-once://{path}"])
        link = ChildLink()
        link.child = child
        link.receiver = receiver
        while True:
            try:
                link.attach(await LocalConnector(path).connect(link))
            except LinkRefused:
                if child.poll() is not None:
                    raise
                await asyncio.sleep(0.005)
            else:
                return link


# -- ones that promise less, and say so


class QuietLink(WireLink):
    """Does not tell when the other end broke it."""

    ended = False

    def close(self) -> None:
        self.ended = True
        super().close()

    def abort(self) -> None:
        self.ended = True
        super().abort()

    def link_broken(self, error: Exception | None) -> None:
        if self.ended:
            super().link_broken(error)


class QuietConnector(WireConnector):
    scheme = "wire-quiet"
    guarantees = ConnectorGuarantees(notices_death="heartbeat")
    link = QuietLink


class QuietBoaster(QuietConnector):
    """Promises what it does not keep."""

    scheme = "wire-boasting"
    guarantees = ConnectorGuarantees()


class SingleConnector(WireConnector):
    """Has one link at a time."""

    scheme = "wire-single"
    guarantees = ConnectorGuarantees(many_clients=False)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        live: list[WireLink] = []

        class Only(WireLink):
            def link_broken(self, error: Exception | None) -> None:
                if self in live:
                    live.remove(self)
                    super().link_broken(error)

        def accept_only(inner: Link) -> LinkReceiver:
            link = Only()
            link.attach(inner)
            if live:
                inner.abort()
                return link
            live.append(link)
            link.receiver = accept(link)
            return link

        listener = await LocalConnector(self.path).listen(accept_only)
        listener.address = self.dump_state()
        return listener


# -- each breaks a promise


class Late(WireLink):
    """Sends in the loop's next turn, and forgets what waits for that when it is closed."""

    waiting: list[bytes]

    def attach(self, inner: Link) -> None:
        super().attach(inner)
        self.waiting = []

    def send(self, data: bytes) -> None:
        if not self.waiting:
            asyncio.get_running_loop().call_soon(self.flush)
        self.waiting.append(data)

    def flush(self) -> None:
        data = b"".join(self.waiting)
        self.waiting = []
        super().send(data)

    def close(self) -> None:
        self.waiting = [b""]
        super().close()


class Twice(WireLink):
    """Sends the sixth piece twice."""

    pieces = 0

    def send(self, data: bytes) -> None:
        self.pieces += 1
        super().send(data)
        if self.pieces == 6:
            super().send(data)


class Reordering(WireLink):
    """Sends the seventh piece before the sixth, if they come at once."""

    pieces = 0
    kept = b""

    def send(self, data: bytes) -> None:
        self.pieces += 1
        if self.pieces == 6:
            self.kept = data
            asyncio.get_running_loop().call_soon(self.send_kept)
            return
        super().send(data)
        if self.pieces == 7:
            self.send_kept()

    def send_kept(self) -> None:
        kept, self.kept = self.kept, b""
        if kept:
            super().send(kept)


class Silent(WireLink):
    """Never tells that it is broken."""

    def link_broken(self, error: Exception | None) -> None:
        pass


class DropsOnClose(WireConnector):
    scheme = "wire-late"
    link = Late


class DeliversTwice(WireConnector):
    scheme = "wire-twice"
    link = Twice


class Reorders(WireConnector):
    scheme = "wire-reordering"
    link = Reordering


class NeverReportsTheBreak(WireConnector):
    scheme = "wire-silent"
    link = Silent


class Steals(WireConnector):
    """Takes the address over from whoever serves it."""

    scheme = "wire-stealing"

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        for path in (self.path, f"{self.path}.lock"):
            if os.path.exists(path):
                os.unlink(path)
        return await super().listen(accept)


class Leaks(WireConnector):
    """Leaves a file behind."""

    scheme = "wire-leaking"

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        Path(f"{self.path}.leak").touch()
        return await super().listen(accept)


class Stays(WireConnector):
    """Believes a file that a dead server left behind."""

    scheme = "wire-staying"

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        path = Path(f"{self.path}.pid")
        path.touch(exist_ok=False)
        listener = await super().listen(accept)
        close = listener.close

        async def close_and_remove() -> None:
            path.unlink()
            await close()

        listener.close = close_and_remove  # type: ignore[method-assign]
        return listener


class LetsAnybodyIn(WireConnector):
    """Forgets its authkey."""

    scheme = "wire-open"

    def __init__(self, path: str, authkey: bytes | None = None) -> None:
        super().__init__(path)


class Blabs(WireConnector):
    """Puts its authkey into its repr."""

    scheme = "wire-blabbing"

    def __repr__(self) -> str:
        return f"Blabs({self.path!r}, {self.authkey!r})"
