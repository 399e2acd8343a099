"""What a connector, a link, a queue and a serializer promise. Start here to write your own."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, Self

from .inbox import SharedInbox
from .peer_identity import PeerIdentity

__all__ = [
    "AsyncQueue",
    "Codec",
    "Connector",
    "ConnectorGuarantees",
    "Guarantees",
    "Link",
    "LinkReceiver",
    "Listener",
    "PeerIdentity",
    "Serializer",
]


class Codec(NamedTuple):
    """One direction of a serializer: a pair of plain functions."""

    dump: Callable[[Any], bytes]
    load: Callable[[bytes], Any]


class Serializer(ABC):
    """Turns objects into bytes and back.

    Write ``dump`` and ``load``; that is a whole serializer. One whose requests and answers differ
    overrides ``request_codec`` and ``response_codec`` as well. Give it ``__eq__`` and ``__hash__`` if
    several instances stand for the same format: a route always uses one serializer.

    Methods may raise any Exception: it becomes a SerializerError (or, for an answer that does not
    dump, a RespError) for the requester. They are called on the event loop and must not block.
    """

    @abstractmethod
    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as bytes."""

    @abstractmethod
    def load(self, data: bytes, /) -> Any:
        """Return the object that *data* holds."""

    def request_codec(self) -> Codec:
        """How requests and throws are dumped by the requester and loaded by the responder."""
        return Codec(self.dump, self.load)

    def response_codec(self) -> Codec:
        """How answers are dumped by the responder and loaded by the requester."""
        return Codec(self.dump, self.load)


class LinkReceiver(Protocol):
    """Whoever a link reports to. All calls come from the event loop, none of them twice at once."""

    def data_received(self, data: bytes, /) -> None:
        """Some bytes arrived, in order, cut anywhere."""

    def link_writable(self) -> None:
        """``Link.writable`` has turned True again."""

    def link_broken(self, error: Exception | None, /) -> None:
        """The link is gone: exactly one call, the last one.

        None: closed in an orderly way. PeerGone: the process at the other end has ended, which ends the
        session as well; anything else: the session may go on with another link.
        """


class Link(ABC):
    """An unreliable two-way pipe for bytes: ordered and unaltered while it lasts, then broken for good.

    A link may break at any time and lose what was under way; the session above it makes good for that.

    Attributes:
        receiver: gets what arrives; may be exchanged at any time.
        writable: False while the link holds more unsent bytes than it likes.
        peer: who is at the other end.
        lingers: seconds that ``close`` may take longer than links usually do, before it is aborted.
    """

    lingers: float = 0.0
    receiver: LinkReceiver
    writable: bool
    peer: PeerIdentity

    @abstractmethod
    def send(self, data: bytes, /) -> None:
        """Take *data* for sending. Never blocks, never raises; on a broken link it does nothing."""

    @abstractmethod
    def close(self) -> None:
        """Send what was taken, then break the link. Returns at once; the receiver hears of it."""

    @abstractmethod
    def abort(self) -> None:
        """Break the link now and drop what was not sent. The receiver hears of it soon."""


class Listener(ABC):
    """A server's open address.

    Attributes:
        address: the URL under which clients reach it; where the system chose a part (port 0), the
            chosen one.
    """

    address: str

    @abstractmethod
    async def close(self) -> None:
        """Stop listening and remove what the listener put into the system. Links live on."""

    async def wait_over(self) -> None:
        """Wait until no link can come any more, and the server may as well end. Most wait for ever."""
        await asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class ConnectorGuarantees:
    """What sets one connector's links apart from another's. What is promised of all is not listed.

    Attributes:
        between_processes: server and client may be different processes.
        between_machines: they may run on different machines.
        many_clients: a server has any number of clients; if not, it has one.
        many_servers: an address may have any number of servers at a time, and each new client gets one of
            them; if not, it has one.
        resumes: a session goes on with another link when one breaks; if not, it ends with its link.
        verifies_user: the medium, or the kernel, keeps out processes of other users (but root's).
        notices_death: how the end of the other process is noticed: ``"at once"``, or after a silence, by
            ``"heartbeat"``. A client whose attempt to come back is refused knows it at once in any case.
        delivers: how often a message is handled: ``"once"`` within a session; ``"at least once"`` by a shared
            inbox, which has no sessions.
        calls_back: a server may make requests and throws to its clients.
        stores: what is thrown waits in the medium, also for a server that is not there yet.
    """

    between_processes: bool = True
    between_machines: bool = False
    many_clients: bool = True
    resumes: bool = True
    verifies_user: bool = False
    notices_death: Literal["at once", "heartbeat"] = "at once"
    many_servers: bool = False
    delivers: Literal["once", "at least once"] = "once"
    calls_back: bool = True
    stores: bool = False


class Connector(ABC):
    """How two sides find each other. It holds an address and secrets, but no loop, link or socket.

    Connectors are immutable, comparable, hashable and picklable (secrets are pickled along, so treat
    a pickle as a secret; a connector with an ``ssl.SSLContext`` refuses to be pickled).

    Attributes:
        scheme: the first part of its URL.
        authkey: the shared secret of a mutual challenge when a link is made, or None for no challenge.
        guarantees: what sets its links apart from those of other connectors.
        handshake_timeout: seconds for one attempt to connect, if the client does not say otherwise.
    """

    scheme: ClassVar[str]
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees()
    handshake_timeout: ClassVar[float] = 5.0
    authkey: bytes | None

    @property
    def reconnects(self) -> bool:
        """Whether a client makes another attempt when one failed, or when its link broke.

        If not, the client ends with its link.
        """
        return True

    def inbox(self) -> SharedInbox | None:
        """Return the inbox that messages go to, instead of a session over links; None: there is none.

        Where there is one, entities use it, and neither ``connect`` nor ``listen``.
        """
        return None

    @abstractmethod
    async def connect(self, receiver: LinkReceiver) -> Link:
        """Return a new link to the server.

        Raises:
            LinkRefused: nobody serves the address.
            LinkError: any other failure; the cause is attached.

        Cancelling it leaves nothing behind.
        """

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        """Return a new link to the server that *broken* led to: a session is to go on.

        It differs from ``connect`` only where an address may have several servers.

        Args:
            broken: a link that ``connect`` or ``connect_again`` of this connector has returned.

        Raises:
            LinkRefused: that server is gone, and its sessions with it; ``connect`` may find another.
            LinkError: any other failure; the cause is attached.
        """
        return await self.connect(receiver)

    @abstractmethod
    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        """Open the address; from then on call *accept* with each new link, for its receiver.

        Raises:
            AddressInUse: a live server already serves the address, and it may have one only.
            LinkError: any other failure; the cause is attached.
        """

    @abstractmethod
    def dump_state(self) -> str:
        """Return the connector's URL: ASCII, without secrets."""

    @classmethod
    @abstractmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        """Rebuild a connector from what ``dump_state`` gave, and the secrets that it left out.

        Raises:
            ValueError: the text is malformed or of another connector; the message says what it found.
        """

    @classmethod
    def from_state(cls, text: str, **secrets: Any) -> Self:
        """The same as ``load_state``."""
        return cls.load_state(text, **secrets)


@dataclass(frozen=True, slots=True)
class Guarantees:
    """What sets one queue's medium apart from another's.

    Attributes:
        priority: items of higher ``priority=`` come first; among equals, the oldest.
        message_types: items have a ``message_type=``, and a reader may ask for some of them.
        persistent: items stay when all processes that had the queue open are gone.
        between_processes: other processes can open it.
        largest_item: bytes of the largest dumped item, or None if there is no limit but memory.
        capacity: how many items it holds, or None if that depends on their sizes, or has no limit.
        many_readers, many_writers: several may be at it at once, and each item goes to one of them.
    """

    priority: bool = False
    message_types: bool = False
    persistent: bool = False
    between_processes: bool = True
    largest_item: int | None = None
    capacity: int | None = None
    many_readers: bool = True
    many_writers: bool = True


class AsyncQueue(ABC):
    """A one-way channel of items, first in, first out, that may be full or empty.

    The ``_nowait`` methods are plain calls on the medium: any thread may make them, at any time (but for
    those of ProcessLines, which belong to its event loop). Those that wait belong to one event loop at a
    time; any number of its tasks may wait at once, and they are served in the order in which they came.

    Raises (all methods):
        Closed: ``close`` was called here, before or while a caller waited.
    """

    @property
    @abstractmethod
    def guarantees(self) -> Guarantees:
        """What this queue does, and what it does not."""

    @abstractmethod
    def put_nowait(self, item: Any, /) -> None:
        """Put an item into the queue.

        Raises:
            queue.Full: there is no room now.
            MessageTooBig: there never will be.
            SerializerError: the item cannot be dumped.
        """

    @abstractmethod
    def get_nowait(self) -> Any:
        """Take an item out of the queue.

        Raises:
            queue.Empty: there is none now.
            SerializerError: what is in the queue cannot be loaded. It is out of the queue now.
        """

    @abstractmethod
    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        """Put an item into the queue, when there is room.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Full: there was no room in time.
            MessageTooBig, SerializerError: as ``put_nowait``; at once.

        If it is cancelled, the item was not put.
        """

    @abstractmethod
    async def get(self, *, timeout: float | None = None) -> Any:
        """Take an item out of the queue, when there is one.

        Args:
            timeout: seconds to wait; None: as long as it takes.

        Raises:
            queue.Empty: there was none in time.
            SerializerError: as ``get_nowait``.

        If it is cancelled, or its time is over, no item was taken: all are still there for the next one.
        """

    @abstractmethod
    def qsize(self) -> int:
        """Return how many items are in the queue; it may be another number by now."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the queue; whoever waits here ends with Closed. Items stay where they are."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        """Iterate over the items as ``get`` gives them, until the queue is closed here."""
        return self

    @abstractmethod
    async def __anext__(self) -> Any: ...
