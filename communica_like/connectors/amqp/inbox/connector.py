"""RmqInboxConnector: one inbox at a RabbitMQ broker, emptied by any number of servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from ....abc import ConnectorGuarantees, Link, LinkReceiver, Listener
from ....abc.inbox import ConsumerUser, PublisherUser, SharedInbox
from ....exceptions import LinkError
from ..broker_connector import BrokerConnector
from .consumer import AmqpConsumer
from .publisher import AmqpPublisher
from .topology import Topology


@dataclass(frozen=True, slots=True)
class RmqInboxConnector(BrokerConnector, SharedInbox):
    """A shared inbox at a RabbitMQ broker, AMQP 0-9-1. Extra ``rmq`` (aiormq).

    There are no sessions. All requests and throws to an address go to one durable quorum queue. Any number
    of servers take messages from it: each message goes to one of them, as soon as that one is free. Messages
    are handled at least once, also if no server was up when they were sent. Servers cannot call clients.

    The queue, and one for dead letters, stay at the broker when all processes have ended. They are called
    ``communica_like.shared.<address>`` and ``communica_like.dead.<address>``. An address of more than 107
    characters, or with others than ASCII letters, digits, spaces and ``_.:@#,/+-``, is represented by a
    digest of it in these names.

    Connectors of one URL, client_id and exchange share a connection in each event loop.

    Args:
        url: the broker's: ``amqp://user:password@host:port/vhost``, or ``amqps://...`` for TLS; as for
            RmqConnector.
        address: the inbox's name: text of 1 to 200 bytes of UTF-8, without control characters.
        client_id, exchange_name, password, ssl, hosts: as for RmqConnector.
        delivery_limit: how often a message may come back, 1 to 1000, from servers that died or closed before
            they acknowledged it. After that the broker moves it to the queue of dead letters. All processes
            that use an inbox must give the same number.
        prefetch: how many unacknowledged messages a server has at a time, 1 to 65535.

    Attributes:
        url: the broker's URL without the password.
        authkey: None. There are no links on which to challenge a peer: the vhost's permissions decide which
            users may use the inbox.

    Raises:
        ValueError: an argument is malformed. The message does not hold the password.
        TypeError: password, ssl or hosts is of another type.

    Clients and servers use ``inbox()``; ``connect`` and ``listen`` raise LinkError. ``dump_state`` gives
    ``amqp+inbox://user@host:port/vhost?address=name`` (``amqps+inbox`` for TLS) with the other options.
    ``load_state`` takes ``password=`` and ``ssl=``, which a URL does not hold.
    """

    scheme: ClassVar[str] = "amqp+inbox"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(
        between_machines=True,
        many_servers=True,
        notices_death="heartbeat",
        delivers="at least once",
        calls_back=False,
        stores=True,
    )
    _numbers: ClassVar[dict[str, int]] = {"delivery_limit": 1000, "prefetch": 65535}

    authkey: bytes | None = field(default=None, init=False, repr=False)
    delivery_limit: int = field(default=10, kw_only=True)
    prefetch: int = field(default=32, kw_only=True)

    def inbox(self) -> SharedInbox:
        return self

    def publisher(self, user: PublisherUser, /) -> AmqpPublisher:
        return AmqpPublisher(self._key(), self._topology, user)

    def consumer(self, user: ConsumerUser, /) -> AmqpConsumer:
        return AmqpConsumer(self._key(), self._topology, self.prefetch, user)

    @property
    def _topology(self) -> Topology:
        """The inbox's queues and exchanges."""
        return Topology(self.address, self.delivery_limit)

    async def connect(self, receiver: LinkReceiver) -> Link:
        raise LinkError(_NO_LINKS)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        raise LinkError(_NO_LINKS)


_NO_LINKS = "a shared inbox has no links: use inbox()"
