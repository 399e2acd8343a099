"""MemoryConnector: both sides in one process and one event loop, as in tests."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ..abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener, PeerIdentity
from ..exceptions import AddressInUse, LinkRefused
from .url import check_authkey, check_text, join_url, split_url

_HIGH_WATER: Final = 256 * 1024

_listeners: dict[str, _MemoryListener] = {}
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class MemoryConnector(Connector):
    """Links within this process. Server and client must run on the same event loop.

    Args:
        name: the address, any non-empty text; by default one that no other connector of this process has.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError, TypeError: an argument is malformed.
    """

    scheme: ClassVar[str] = "memory"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(
        between_processes=False, verifies_user=True
    )

    name: str = field(default_factory=lambda: f"memory-{next(_numbers)}")
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise ValueError(f"a MemoryConnector's name is non-empty text, not {self.name!r}")
        check_text("a MemoryConnector's name", self.name)
        check_authkey(self.authkey)

    async def connect(self, receiver: LinkReceiver) -> Link:
        listener = _listeners.get(self.name)
        if listener is None:
            raise LinkRefused(f"no server listens at {self.dump_state()} in this process")
        if listener.loop is not asyncio.get_running_loop():
            raise LinkRefused(f"{self.dump_state()} is served on another event loop")
        near, far = MemoryLink(self.name), MemoryLink(self.name)
        near.other, far.other = far, near
        near.receiver = receiver
        far.receiver = listener.accept(far)
        return near

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        live = _listeners.get(self.name)
        if live is not None and not live.loop.is_closed():
            raise AddressInUse(f"{self.dump_state()} is already served in this process")
        _listeners[self.name] = listener = _MemoryListener(self, accept)
        return listener

    def dump_state(self) -> str:
        return join_url(self.scheme, self.name)

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)


class _MemoryListener(Listener):
    def __init__(self, connector: MemoryConnector, accept: Callable[[Link], LinkReceiver]) -> None:
        self.address = connector.dump_state()
        self.accept = accept
        self.loop = asyncio.get_running_loop()
        self._name = connector.name

    async def close(self) -> None:
        if _listeners.get(self._name) is self:
            del _listeners[self._name]


class MemoryLink(Link):
    """One end of a pair. Data arrives in the loop's next turn, joined."""

    other: MemoryLink

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._sent: list[bytes] = []
        self._size = 0
        self._broken = False
        self._closing = False
        self.writable = True
        self.peer = PeerIdentity("memory", name, pid=os.getpid())

    def send(self, data: bytes) -> None:
        if self._broken or self._closing:
            return
        if not self._sent:
            self._loop.call_soon(self._deliver)
        self._sent.append(data)
        self._size += len(data)
        if self._size >= _HIGH_WATER:
            self.writable = False

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._break)  # after the data, which is delivered before

    def abort(self) -> None:
        self._sent.clear()
        self._break()

    def _deliver(self) -> None:
        data = b"".join(self._sent)
        self._sent.clear()
        self._size = 0
        if data and not self.other._broken:
            self.other.receiver.data_received(data)
        if not self.writable and not self._broken:
            self.writable = True
            self.receiver.link_writable()

    def _break(self, error: Exception | None = None) -> None:
        for end in (self, self.other):
            if not end._broken:
                end._broken = True
                end.writable = False
                end._loop.call_soon(end._report, error)

    def _report(self, error: Exception | None) -> None:
        self.receiver.link_broken(error)
