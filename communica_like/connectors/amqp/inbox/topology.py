"""What a shared inbox consists of at a broker, and how it is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from ....exceptions import LinkError
from ....features import optional_package
from ..connection import AmqpConnection

__all__ = ["Topology"]

# All else that is dead-lettered is a request whose time was over: nobody wants to see it again.
_REASONS: Final = ("delivery_limit", "rejected")


@dataclass(frozen=True, slots=True)
class Topology:
    """The inbox of an address: a quorum queue, another one for its dead letters, and the way there.

    Attributes:
        address: clients and servers find each other by it.
        delivery_limit: how often a message may come back.
    """

    address: str
    delivery_limit: int

    @property
    def inbox(self) -> str:
        """The queue of messages, and its routing key."""
        return f"communica_like.shared.{self.address}"

    @property
    def dead(self) -> str:
        """The queue of dead letters, and the exchange that leads there."""
        return f"communica_like.dead.{self.address}"

    @property
    def notices(self) -> str:
        """The routing key of what all servers of the address are to know."""
        return f"communica_like.notices.{self.address}"

    async def declare(self, connection: AmqpConnection) -> None:
        """Make sure that all of it is there. On a channel of its own, which the broker closes if it refuses.

        Raises:
            LinkError: the queue is there, and is another one.
            Exception: what aiormq raises.
        """
        aiormq = optional_package("aiormq", "rmq")
        channel = await connection.new_channel()
        try:
            await connection.declare_exchange(channel)
            await channel.exchange_declare(self.dead, exchange_type="headers", durable=True)
            await self._queue(channel, self.dead, {})
            for reason in _REASONS:
                match = {"x-match": "all-with-x", "x-first-death-reason": reason}
                await channel.queue_bind(self.dead, self.dead, "", arguments=match)
            limits = {"x-delivery-limit": self.delivery_limit, "x-dead-letter-exchange": self.dead}
            await self._queue(channel, self.inbox, limits)
            await connection.bind(channel, self.inbox, self.inbox)
        except aiormq.exceptions.ChannelPreconditionFailed as exc:
            text = "it was made with other arguments, such as another delivery_limit: use those, or delete it"
            raise LinkError(f"the inbox {self.inbox!r} cannot be used: {text} ({exc})") from exc
        await channel.close()

    async def bind_dead(self, channel: Any, queue: str, token: str) -> None:
        """From now on the queue gets copies of those dead letters that are a client's, and killed servers."""
        match = {"x-match": "all-with-x", "x-first-death-reason": _REASONS[0], "client": token}
        await channel.queue_bind(queue, self.dead, "", arguments=match)

    async def _queue(self, channel: Any, name: str, arguments: dict[str, Any]) -> None:
        await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum", **arguments})
