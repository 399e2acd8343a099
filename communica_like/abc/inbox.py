"""What a shared inbox is: one queue at a broker, in place of links, that any number of servers empty."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

from .peer import PeerIdentity

__all__ = [
    "ANSWER",
    "DEAD",
    "Consumer",
    "ConsumerUser",
    "Delivery",
    "Message",
    "Publisher",
    "PublisherUser",
    "SharedInbox",
]

ANSWER = 0
"""The kind of an answer that is the handler's result. Other kinds are those of failures."""

DEAD = 255
"""The kind of an answer that says that there will be none: the request was put aside. The body says why."""


class Message(NamedTuple):
    """What a client puts into an inbox.

    Attributes:
        ident: the client's number for it; never 0, and not used twice.
        wants_answer: whether it is a request; if not, a throw.
        route, body: where it goes, and what it says.
        key: the same for all copies of what is to be done once.
        client_id: who asks.
        expires: until when it may be handled, by the wall clock, which machines share; None: for ever.
    """

    ident: int
    wants_answer: bool
    route: bytes
    body: bytes
    key: str
    client_id: str
    expires: float | None


class PublisherUser(Protocol):
    """Whom a sender reports to, from the event loop."""

    def answered(self, ident: int, kind: int, body: bytes, /) -> None:
        """An answer to a request came; perhaps one more to the same one, or one that nobody waits for."""

    def confirmed(self, ident: int, /) -> None:
        """The broker has the message, and will not lose it."""

    def too_big(self, ident: int, text: str, /) -> None:
        """The broker does not take messages of this size; the sender has forgotten it."""


class Publisher(ABC):
    """A client's end of an inbox. It keeps what was sent until it is confirmed or, for requests, forgotten.

    Whenever it connects it sends again what it keeps: messages may arrive more than once, and none is lost as
    long as this process lives.
    """

    @property
    @abstractmethod
    def peer(self) -> PeerIdentity:
        """The broker."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether messages go out now."""

    @property
    @abstractmethod
    def obstacle(self) -> str:
        """Why what is sent does not come through now; empty: nothing is known of."""

    @abstractmethod
    async def connect(self) -> None:
        """Connect to the broker, and make the inbox if it is not there.

        Raises:
            LinkError: it was not possible; the message says why.

        Cancelling it leaves nothing behind.
        """

    @abstractmethod
    async def lost(self) -> str:
        """Wait until the connection is lost; return why."""

    @abstractmethod
    def send(self, message: Message, /) -> None:
        """Send a message: now, or as soon as there is a connection."""

    @abstractmethod
    def forget(self, ident: int, /, *, cancel: bool = False) -> None:
        """Do not send this message again; *cancel*: and tell servers that nobody waits for its answer."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connection, when what was sent is written. ``connect`` makes another one."""


class Delivery(ABC):
    """A message that a server took out of an inbox, and has to settle.

    Attributes:
        message: what the client sent.
        peer: the broker, and who the message says it is from.
        redelivered: whether it may have been handled before.
        deliveries: how often it was delivered before, if the broker counts that.
    """

    message: Message
    peer: PeerIdentity
    redelivered: bool
    deliveries: int | None

    @abstractmethod
    def settle(self, kind: int = ANSWER, body: bytes | None = None) -> None:
        """It is done with: send the answer, if there is a body, and take it out of the inbox for good.

        If the connection on which it came is lost it stays in the inbox, and is delivered once more.
        """

    @abstractmethod
    def put_back(self) -> None:
        """Leave it to another server."""


class ConsumerUser(Protocol):
    """Whom an intake reports to, from the event loop."""

    def take(self, job: Delivery, /) -> None:
        """There is something to do."""

    def cancel(self, job: Delivery, /) -> None:
        """Nobody waits for its answer."""

    def largest_answer(self, size: int, /) -> None:
        """The broker takes no answer of more bytes; that is known once there was one."""


class Consumer(ABC):
    """A server's end of an inbox."""

    @abstractmethod
    async def open(self) -> None:
        """Connect to the broker, make the inbox if it is not there, and begin to take.

        Raises:
            LinkError: it was not possible; the message says why.

        Cancelling it leaves nothing behind.
        """

    @abstractmethod
    async def lost(self) -> str:
        """Wait until the connection is lost; return why."""

    @abstractmethod
    async def stop(self) -> None:
        """Take nothing more. Jobs in hand may still be settled."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connection. What is not settled is delivered again, to any server.

        ``open`` makes another one.
        """


class SharedInbox(ABC):
    """An inbox that clients and servers may open."""

    @abstractmethod
    def sender(self, user: PublisherUser, /) -> Publisher:
        """Return a client's end, not connected yet."""

    @abstractmethod
    def intake(self, user: ConsumerUser, /) -> Consumer:
        """Return a server's end, not open yet."""
