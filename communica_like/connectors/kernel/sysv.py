"""SysVConnector: links over System V message queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...features import optional_package
from ...queues.sysv.sysvmq import SysVMQ
from ...serializers import RawSerializer
from ..url import check_authkey, join_url, split_url
from .listener import listen_at_rendezvous
from .rendezvous import Rendezvous, connect_by_rendezvous
from .sysv_link import SysVLink
from .sysv_queues import SysVPair


@dataclass(frozen=True, slots=True)
class SysVConnector(Connector):
    """Links over System V message queues (sysvipc(7)), two for each link.

    A client creates them, with keys of their own and open to its user alone, and sends the keys to the server
    through the server's own queue. Such a queue cannot wake an event loop, so each side also has a named
    pipe, through which the other side notifies it. The queues are removed with the link. If both processes
    are killed, the next one that connects or listens removes them, or ``queues.reap()``.

    Args:
        key: of the server's queue: 1 to 2**31 - 1.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: *key* is not such a key.

    ``connect`` and ``listen`` also raise FeatureNotAvailable if sysv_ipc is not installed, and
    QueueLimitReached, whose message names the kernel's limit and how to raise it.
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
        return await connect_by_rendezvous(self._rendezvous(), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_at_rendezvous(self._rendezvous(), accept)

    def _rendezvous(self) -> Rendezvous:
        optional_package("sysv_ipc", "sysvmq")
        return _Rendezvous(str(self.key), self.dump_state())

    def dump_state(self) -> str:
        return join_url(self.scheme, str(self.key))

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        key = split_url(text, cls.scheme)
        if not key.isascii() or not key.isdecimal():
            raise ValueError(f"sysv://key is expected, with a number; found {text!r}")
        return cls(int(key), **secrets)


class _Rendezvous(Rendezvous):
    kind = "sysvmq"
    pair = SysVPair
    link = SysVLink

    def create(self) -> SysVMQ:
        return SysVMQ(int(self.name), serializer=RawSerializer(), exclusive=True)

    def open(self) -> SysVMQ:
        return SysVMQ(int(self.name), serializer=RawSerializer(), create=False)
