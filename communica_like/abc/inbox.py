"""The interface of a shared inbox: one queue at a broker instead of links, emptied by any number of servers.

A client's Publisher sends messages into the inbox. The broker gives each to the Consumer of one server, as a
Delivery, which the server acknowledges or has requeued. Responses go back to the client past the inbox.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple, Protocol

from .peer import PeerIdentity

ANSWER = 0
"""The kind of a response that is the handler's result. Other kinds are those of failures."""

DEAD = 255
"""The kind of a response that takes the place of all others: the request was put aside. The body says why."""


class Message(NamedTuple):
    """A message from a client to an inbox.

    Attributes:
        ident: the client's number for the message; never 0, and not used twice.
        wants_answer: whether the message is a request; if not, a throw.
        route, body: the handler's route, and its data.
        key: an idempotency key, the same for all copies of a message.
        client_id: the client's id.
        expires: until when the message may be handled, in seconds since 1970; None: for ever.
    """

    ident: int
    wants_answer: bool
    route: bytes
    body: bytes
    key: str
    client_id: str
    expires: float | None


class PublisherUser(Protocol):
    """Receives a publisher's events, which all come from the event loop."""

    def answered(self, ident: int, kind: int, body: bytes, /) -> None:
        """A response came; perhaps not the first one, or to a request given up."""

    def confirmed(self, ident: int, /) -> None:
        """The broker has the message, and will not lose it."""

    def too_big(self, ident: int, text: str, /) -> None:
        """The broker does not take messages of this size; the publisher has forgotten it."""


class InboxConnection(ABC):
    """What a client and a server have of an inbox: a connection to its broker."""

    @abstractmethod
    async def connect(self) -> None:
        """Connect to the broker, and make the inbox if it is missing; a consumer starts consuming.

        Raises:
            LinkError: the attempt failed; the message says why.

        Cancelling it leaves nothing behind.
        """

    @abstractmethod
    async def lost(self) -> str:
        """Wait until the connection is lost; return the reason."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connection until ``connect``, after what was published or acknowledged is written.

        The broker delivers again, to any server, what a consumer has not acknowledged.
        """


class Publisher(InboxConnection):
    """A client's end of an inbox.

    It keeps each throw until the broker has confirmed it, and each request until its response or ``forget``.
    After each ``connect`` it publishes again what it keeps: messages may arrive more than once, and none is
    lost as long as this process lives.
    """

    @property
    @abstractmethod
    def peer(self) -> PeerIdentity:
        """The broker."""

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether there is a connection to the broker."""

    @property
    @abstractmethod
    def obstacle(self) -> str:
        """Why messages do not reach the inbox now; empty: no reason is known."""

    @abstractmethod
    def send(self, message: Message, /) -> None:
        """Publish a message, now or as soon as there is a connection."""

    @abstractmethod
    def forget(self, ident: int, /, *, cancel: bool = False) -> None:
        """Do not publish a message again; *cancel*: have servers cancel the request."""


class Delivery(ABC):
    """A message out of an inbox, which a server must acknowledge or requeue.

    Attributes:
        message: what the client sent.
        peer: the broker.
        redelivered: whether the message may have been handled before.
        deliveries: how often the message was delivered before, or None if the broker does not count.
    """

    message: Message
    peer: PeerIdentity
    redelivered: bool
    deliveries: int | None

    @abstractmethod
    def ack(self, kind: int = ANSWER, body: bytes | None = None) -> None:
        """Acknowledge the message, after sending *body* as its response, if given.

        If the connection is lost before the broker has the acknowledgement, the message is delivered again.
        """

    @abstractmethod
    def requeue(self) -> None:
        """Return the message to the inbox, for another server."""


class ConsumerUser(Protocol):
    """Receives a consumer's events, which all come from the event loop."""

    def take(self, delivery: Delivery, /) -> None:
        """A message was delivered."""

    def cancel(self, delivery: Delivery, /) -> None:
        """The client has cancelled the request."""

    def largest_answer(self, size: int, /) -> None:
        """The broker refused a response, and takes none of more than *size* bytes."""


class Consumer(InboxConnection):
    """A server's end of an inbox."""

    @abstractmethod
    async def stop(self) -> None:
        """Stop consuming. Deliveries may still be acknowledged."""


class SharedInbox(ABC):
    """An inbox that clients and servers may open."""

    @abstractmethod
    def publisher(self, user: PublisherUser, /) -> Publisher:
        """Return a client's end, not connected yet."""

    @abstractmethod
    def consumer(self, user: ConsumerUser, /) -> Consumer:
        """Return a server's end, not connected yet."""
