"""PosixMQConnector: links over POSIX message queues."""

from __future__ import annotations

import asyncio
import contextlib
import queue
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ..abc import AsyncQueue, Connector, ConnectorGuarantees, Link, LinkReceiver, Listener, PeerIdentity
from ..features import optional_package
from ..queues.posixmq import PosixMQ
from ..serializers import RawSerializer
from ..system import ProcessId, fork
from ._door import listen_for_knocks
from ._knock import LARGEST_KNOCK
from ._message_link import MessageLink
from ._posixmq_pair import PosixMQPair
from ._rendezvous import StartedLink, connect_by_knock, is_there
from .address import check_authkey, check_text, join_url, split_url

__all__ = ["PosixMQConnector"]

_BELL_SIZE: Final = 10  # what the kernel allows by default: fs.mqueue.msg_max
_MANY: Final = 64  # messages that are read at one go
_LINGER: Final = 0.5  # seconds, for the other side to make room for the end


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
        return await connect_by_knock(_Bell(self), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_for_knocks(_Bell(self), accept)

    def dump_state(self) -> str:
        return join_url(self.scheme, self.name, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)


class _Bell:
    kind: Final = "posixmq"
    _made: PosixMQ

    def __init__(self, connector: PosixMQConnector) -> None:
        optional_package("posix_ipc", "posixmq")
        self.address = connector.dump_state()
        self.name = connector.name

    def exists(self) -> bool:
        return is_there(self.open)

    def create(self) -> AsyncQueue:
        self._made = PosixMQ(self.name, _BELL_SIZE, LARGEST_KNOCK, RawSerializer(), exclusive=True)
        return self._made

    def open(self) -> AsyncQueue:
        return PosixMQ(self.name, serializer=RawSerializer(), create=False)

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._made.unlink()

    def make_pair(self) -> PosixMQPair:
        return PosixMQPair.make()

    def open_pair(self, *places: str) -> PosixMQPair:
        return PosixMQPair.of_client(*places)

    def link(self, process: ProcessId, pair: PosixMQPair) -> StartedLink:
        return PosixMQLink(self.name, process, pair)


class PosixMQLink(MessageLink):
    """One end of a link over two POSIX queues.

    Args:
        name: the doorbell's.
        process: the other side's.
        pair: the queues, which belong to the link from now on.
    """

    def __init__(self, name: str, process: ProcessId, pair: PosixMQPair) -> None:
        peer = PeerIdentity("posixmq", name, process.pid, process.uid)
        super().__init__(peer, process, pair.largest)
        self._pair = pair
        self._inwards, self._outwards = pair.inwards, pair.outwards
        self._descriptors = (pair.inwards.fileno(), pair.outwards.fileno())
        self._lingering: asyncio.TimerHandle | None = None
        for descriptor in self._descriptors:
            fork.add(descriptor)

    def start(self) -> None:
        if not self._broken:
            self._loop.add_reader(self._descriptors[0], self._first_came)

    def _first_came(self) -> None:
        # The other side has the queues open, and removed their names.
        self._pair.unlink()
        self._loop.add_reader(self._descriptors[0], self._read, _MANY)
        self._read(_MANY)

    def _put(self, message: bytes) -> bool:
        try:
            self._outwards.put_nowait(message)
        except queue.Full:
            return False
        return True

    def _get(self) -> bytes | None:
        try:
            message: bytes = self._inwards.get_nowait()
        except queue.Empty:
            return None
        return message

    def _await_room(self, waiting: bool) -> None:
        if waiting:
            self._loop.add_writer(self._descriptors[1], self._write)
        else:
            self._loop.remove_writer(self._descriptors[1])

    def _let_go(self) -> None:
        self._loop.remove_reader(self._descriptors[0])
        self._loop.remove_writer(self._descriptors[1])
        self._pair.unlink()
        if self._process.ended or self._put(b""):
            self._remove()
        else:
            # Nothing may be taken out to make room: the other side may be at what comes after it.
            self._lingering = self._loop.call_later(_LINGER, self._remove)
            self._loop.add_writer(self._descriptors[1], self._tell_the_end)

    def _tell_the_end(self) -> None:
        if self._put(b""):
            self._remove()

    def _remove(self) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._loop.remove_writer(self._descriptors[1])
        for descriptor in self._descriptors:
            fork.discard(descriptor)
        self._pair.remove()
