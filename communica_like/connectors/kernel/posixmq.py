"""PosixMQConnector: links over POSIX message queues."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ...abc import AsyncQueue, Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...features import optional_package
from ...queues.posixmq import PosixMQ
from ...serializers import RawSerializer
from ...system import ProcessId
from ..url import check_authkey, check_text, join_url, split_url
from .listener import listen_at_rendezvous
from .posixmq_link import PosixMQLink
from .posixmq_queues import PosixMQPair
from .rendezvous import LARGEST_REQUEST, StartedLink, connect_by_rendezvous, is_there

__all__ = ["PosixMQConnector"]

_RENDEZVOUS_SIZE: Final = 10  # what the kernel allows by default: fs.mqueue.msg_max


@dataclass(frozen=True, slots=True)
class PosixMQConnector(Connector):
    """Links over POSIX message queues (mq_overview(7)), two for each link. Linux.

    A client makes them, open to its user alone, and tells the server of them by the server's own queue, the
    doorbell. Once both sides have them open their names are removed, so that nothing is left of them when
    both are gone, in whatever way.

    Args:
        name: of the doorbell: ``"/"`` and 1 to 254 bytes without another ``"/"``.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: that is no name.

    ``connect`` and ``listen`` also raise FeatureNotAvailable, if posix_ipc is not installed, and
    QueueLimitReached: the message says which limit of the kernel's it is, and how to raise it.
    """

    scheme: ClassVar[str] = "posixmq"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(verifies_user=True)

    name: str
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise ValueError(f"a PosixMQConnector's name is text, not {self.name!r}")
        if (
            not self.name.startswith("/")
            or "/" in self.name[1:]
            or "\x00" in self.name
            or not 2 <= len(self.name.encode(errors="surrogatepass")) <= 255
        ):
            raise ValueError(
                f'a PosixMQConnector\'s name is "/" and 1 to 254 bytes without another "/", not {self.name!r}'
            )
        check_text("a PosixMQConnector's name", self.name)
        check_authkey(self.authkey)

    async def connect(self, receiver: LinkReceiver) -> Link:
        return await connect_by_rendezvous(_Rendezvous(self), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_at_rendezvous(_Rendezvous(self), accept)

    def dump_state(self) -> str:
        return join_url(self.scheme, self.name, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)


class _Rendezvous:
    kind: Final = "posixmq"
    _made: PosixMQ

    def __init__(self, connector: PosixMQConnector) -> None:
        optional_package("posix_ipc", "posixmq")
        self.address = connector.dump_state()
        self.name = connector.name

    def exists(self) -> bool:
        return is_there(self.open)

    def create(self) -> AsyncQueue:
        self._made = PosixMQ(self.name, _RENDEZVOUS_SIZE, LARGEST_REQUEST, RawSerializer(), exclusive=True)
        return self._made

    def open(self) -> AsyncQueue:
        return PosixMQ(self.name, serializer=RawSerializer(), create=False)

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._made.unlink()

    def make_pair(self) -> PosixMQPair:
        return PosixMQPair.make()

    def open_pair(self, *endpoints: str) -> PosixMQPair:
        return PosixMQPair.of_client(*endpoints)

    def link(self, process: ProcessId, pair: PosixMQPair) -> StartedLink:
        return PosixMQLink(self.name, process, pair)
