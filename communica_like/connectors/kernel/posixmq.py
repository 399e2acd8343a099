"""PosixMQConnector: links over POSIX message queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...features import optional_package
from ...queues.posixmq import PosixMQ
from ...serializers import RawSerializer
from ..url import check_authkey, check_text, join_url, split_url
from .listener import listen_at_rendezvous
from .posixmq_link import PosixMQLink
from .posixmq_queues import PosixMQPair
from .rendezvous import LARGEST_REQUEST, Rendezvous, connect_by_rendezvous

_RENDEZVOUS_SIZE: Final = 10  # what the kernel allows by default: fs.mqueue.msg_max


@dataclass(frozen=True, slots=True)
class PosixMQConnector(Connector):
    """Links over POSIX message queues (mq_overview(7)), two for each link, on Linux.

    A client creates them, open to its user alone, and sends their names to the server through the server's
    own queue. Once both sides have them open the names are removed, so nothing is left of a link however its
    processes end.

    Args:
        name: of the server's queue: ``"/"`` and 1 to 254 bytes without another ``"/"``.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: *name* is not such a name.

    ``connect`` and ``listen`` also raise FeatureNotAvailable if posix_ipc is not installed, and
    QueueLimitReached, whose message names the kernel's limit and how to raise it.
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
        return await connect_by_rendezvous(self._rendezvous(), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_at_rendezvous(self._rendezvous(), accept)

    def _rendezvous(self) -> Rendezvous:
        optional_package("posix_ipc", "posixmq")
        return _Rendezvous(self.name, self.dump_state())

    def dump_state(self) -> str:
        return join_url(self.scheme, self.name, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)


class _Rendezvous(Rendezvous):
    kind = "posixmq"
    pair = PosixMQPair
    link = PosixMQLink

    def create(self) -> PosixMQ:
        return PosixMQ(self.name, _RENDEZVOUS_SIZE, LARGEST_REQUEST, RawSerializer(), exclusive=True)

    def open(self) -> PosixMQ:
        return PosixMQ(self.name, serializer=RawSerializer(), create=False)
