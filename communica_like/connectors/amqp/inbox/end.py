"""What the two ends of a shared inbox have in common."""

from __future__ import annotations

from abc import abstractmethod

from ....abc import PeerIdentity
from ..connection import Connection
from ..key import BrokerKey
from ..user import ConnectionUser
from .topology import Topology


class InboxEnd(ConnectionUser):
    """An end of an inbox, which may write several messages at once.

    Errors of opening begin with *failure* and the broker's place.
    """

    def __init__(self, key: BrokerKey, topology: Topology, failure: str) -> None:
        super().__init__(key, f"{failure} {key.url.place}")
        self._topology = topology
        self._scheduled = False
        self._peer = PeerIdentity(key.url.scheme, f"{key.url.place}, inbox {topology.address}")

    @property
    def peer(self) -> PeerIdentity:
        return self._peer

    async def _declare(self, connection: Connection) -> None:
        """Declare the inbox; subclasses add this end's own queues, and consume."""
        await self._topology.declare(connection)

    @abstractmethod
    def _flush(self) -> None:
        """Write what waits, and reset ``_scheduled``."""

    def _schedule(self) -> None:
        """Flush in the next turn of the event loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush)
