"""A shared inbox at a broker: who opens its two ends."""

from __future__ import annotations

from dataclasses import dataclass

from ..abc.inbox import IntakeUser, SenderUser, SharedInbox
from ._amqp_connection import BrokerKey
from ._amqp_intake import AmqpIntake
from ._amqp_sender import AmqpSender
from ._amqp_topology import Topology

__all__ = ["AmqpInbox"]


@dataclass(frozen=True, slots=True)
class AmqpInbox(SharedInbox):
    """One address at one broker.

    Attributes:
        key: which broker.
        topology: which queues.
        prefetch: how many messages a server has in hand.
    """

    key: BrokerKey
    topology: Topology
    prefetch: int

    def sender(self, user: SenderUser, /) -> AmqpSender:
        return AmqpSender(self.key, self.topology, user)

    def intake(self, user: IntakeUser, /) -> AmqpIntake:
        return AmqpIntake(self.key, self.topology, self.prefetch, user)
