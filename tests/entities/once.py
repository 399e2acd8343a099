"""A connector whose links end with their other end, for tests of what entities make of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Self

from communica_like import MemoryConnector
from communica_like.abc import Connector, Link, LinkReceiver, Listener
from communica_like.connectors.memory import MemoryLink
from tests.entities.stage import sessions_of

__all__ = ["OnceConnector", "OnceListener", "SlowToClose", "link_of"]


class OnceConnector(Connector):
    """Does not reconnect, and its listener may be over.

    Attributes:
        failure: what ``connect`` raises, or None.
        attempts: how often it was called.
        ready: it waits for that; set, until a test clears it.
        listener: what ``listen`` gave.
    """

    scheme: ClassVar[str] = "once"
    handshake_timeout: ClassVar[float] = 60.0
    authkey = None

    def __init__(self) -> None:
        self.inner = MemoryConnector()
        self.failure: Exception | None = None
        self.attempts = 0
        self.ready = asyncio.Event()
        self.ready.set()
        self.listener: OnceListener | None = None

    @property
    def reconnects(self) -> bool:
        return False

    async def connect(self, receiver: LinkReceiver) -> Link:
        self.attempts += 1
        await self.ready.wait()
        if self.failure is not None:
            raise self.failure
        return await self.inner.connect(receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        self.listener = OnceListener(await self.inner.listen(accept))
        return self.listener

    def dump_state(self) -> str:
        return "once://"

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        raise ValueError(text)


class OnceListener(Listener):
    """A listener that is over when ``over`` is set."""

    def __init__(self, inner: Listener) -> None:
        self.address = inner.address
        self.over = asyncio.Event()
        self._inner = inner

    async def close(self) -> None:
        await self._inner.close()

    async def wait_over(self) -> None:
        await self.over.wait()


class SlowToClose(MemoryConnector):
    """The break of its links is reported some time later, as they announce."""

    lingers = 1.5

    async def connect(self, receiver: LinkReceiver) -> Link:
        link = await super().connect(receiver)
        assert isinstance(link, MemoryLink)
        report = link._report
        link.lingers = self.lingers
        link._report = lambda error: link._loop.call_later(self.lingers, report, error)  # type: ignore[assignment, method-assign]
        return link


def link_of(entity: Any) -> MemoryLink:
    """Return the link of an entity that has one."""
    [peer] = sessions_of(entity)
    link = peer._writer.link
    assert isinstance(link, MemoryLink)
    return link
