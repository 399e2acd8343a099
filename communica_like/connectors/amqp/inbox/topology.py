"""The queues and exchanges of a shared inbox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ....exceptions import LinkError
from ....features import optional_package
from ..connection import Connection
from ..names import MAX_EXCHANGE, broker_name

_DEAD: Final = "communica_like.dead."
_QUORUM: Final[dict[str, Any]] = {"x-queue-type": "quorum"}
_MAX_ADDRESS: Final = MAX_EXCHANGE - len(_DEAD)
# What else is dead-lettered is a request whose time is over: it is dropped.
_REASONS: Final = ("delivery_limit", "rejected")


@dataclass(frozen=True, slots=True)
class Topology:
    """An address's inbox: a quorum queue, one for dead letters, and an exchange.

    Attributes:
        address: the name that clients and servers meet by.
        delivery_limit: how often a message may come back.
    """

    address: str
    delivery_limit: int

    @property
    def inbox(self) -> str:
        """The queue of messages, and its routing key."""
        return broker_name("communica_like.shared.", self.address, _MAX_ADDRESS)

    @property
    def dead(self) -> str:
        """The queue of dead letters, and the exchange that leads there."""
        return broker_name(_DEAD, self.address, _MAX_ADDRESS)

    @property
    def notices(self) -> str:
        """The routing key of cancellations, which go to all servers of the address."""
        return f"communica_like.notices.{self.address}"

    async def declare(self, connection: Connection) -> None:
        """Declare what is missing, on a channel of its own.

        Raises:
            LinkError: the queue exists with other arguments.
            Exception: what aiormq raises.
        """
        aiormq = optional_package("aiormq", "rmq")
        channel = await connection.new_channel()
        try:
            await connection.declare_exchange(channel)
            await channel.exchange_declare(self.dead, exchange_type="headers", durable=True)
            await channel.queue_declare(self.dead, durable=True, arguments=_QUORUM)
            for reason in _REASONS:
                match = {"x-match": "all-with-x", "x-first-death-reason": reason}
                await channel.queue_bind(self.dead, self.dead, "", arguments=match)
            limits = {"x-delivery-limit": self.delivery_limit, "x-dead-letter-exchange": self.dead}
            await channel.queue_declare(self.inbox, durable=True, arguments=_QUORUM | limits)
            await channel.queue_bind(self.inbox, connection.exchange, self.inbox)
        except aiormq.exceptions.ChannelPreconditionFailed as exc:
            text = "it was made with other arguments, such as another delivery_limit: use those, or delete it"
            error = LinkError(f"the inbox {self.inbox!r} cannot be used: {text} ({exc})")
            error.lasting = True
            raise error from exc
        await channel.close()

    async def bind_dead(self, channel: Any, queue: str, token: str) -> None:
        """Bind a client's queue to its own dead letters that reached the delivery limit."""
        match = {"x-match": "all-with-x", "x-first-death-reason": _REASONS[0], "client": token}
        await channel.queue_bind(queue, self.dead, "", arguments=match)
