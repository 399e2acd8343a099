"""SysVConnector: links over System V message queues."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ...abc import AsyncQueue, Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...features import optional_package
from ...queues.sysv.sysvmq import SysVMQ
from ...serializers import RawSerializer
from ...system import ProcessId
from ..url import check_authkey, join_url, split_url
from .listener import listen_at_rendezvous
from .rendezvous import StartedLink, connect_by_rendezvous, is_there
from .sysv_link import SysVLink
from .sysv_queues import SysVPair

__all__ = ["SysVConnector"]


@dataclass(frozen=True, slots=True)
class SysVConnector(Connector):
    """Links over System V message queues (sysvipc(7)), two for each link.

    A client makes them, with keys of their own and open to its user alone, and tells the server of them by
    the server's queue, the doorbell. Nobody can be woken by such a queue, so each side also has a named pipe
    by which the other one tells that there is something to look at. The queues are removed with the link; if
    both processes are killed, by the next that connects or listens, or by ``queues.reap()``.

    Args:
        key: of the doorbell: 1 to 2**31 - 1.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: that is no key.

    ``connect`` and ``listen`` also raise FeatureNotAvailable, if sysv_ipc is not installed, and
    QueueLimitReached: the message says which limit of the kernel's it is, and how to raise it.
    """

    scheme: ClassVar[str] = "sysv"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(verifies_user=True)

    key: int
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.key, int) or isinstance(self.key, bool) or not 0 < self.key < 2**31:
            raise ValueError(f"a SysVConnector's key is a number from 1 to 2**31 - 1, not {self.key!r}")
        check_authkey(self.authkey)

    async def connect(self, receiver: LinkReceiver) -> Link:
        return await connect_by_rendezvous(_Rendezvous(self), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_at_rendezvous(_Rendezvous(self), accept)

    def dump_state(self) -> str:
        return join_url(self.scheme, str(self.key))

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        key = split_url(text, cls.scheme)
        if not key.isascii() or not key.isdecimal():
            raise ValueError(f"sysv://key is expected, with a number; found {text!r}")
        return cls(int(key), **secrets)


class _Rendezvous:
    kind: Final = "sysvmq"
    _made: SysVMQ

    def __init__(self, connector: SysVConnector) -> None:
        optional_package("sysv_ipc", "sysvmq")
        self._key = connector.key
        self.name = str(connector.key)
        self.address = connector.dump_state()

    def exists(self) -> bool:
        return is_there(self.open)

    def create(self) -> AsyncQueue:
        self._made = SysVMQ(self._key, serializer=RawSerializer(), exclusive=True)
        return self._made

    def open(self) -> AsyncQueue:
        return SysVMQ(self._key, serializer=RawSerializer(), create=False)

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._made.unlink()

    def make_pair(self) -> SysVPair:
        return SysVPair.make()

    def open_pair(self, *endpoints: str) -> SysVPair:
        return SysVPair.of_client(*endpoints)

    def link(self, process: ProcessId, pair: SysVPair) -> StartedLink:
        return SysVLink(self.name, process, pair)
