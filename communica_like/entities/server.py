"""The server side that SimpleServer and RouteServer share."""

from __future__ import annotations

import asyncio
import logging
from typing import Self

from ..abc import Connector
from ..exceptions import Closed, ConnectionLost, FeatureNotAvailable, RequestTimeout
from ..wire.limits import Limits
from .backends import ClientInfo, DuplicatePolicy
from .connection.acceptor import Acceptor
from .connection.driver import SessionDriver
from .entity import Entity
from .handling.context import inherited_deadline
from .handling.tasks import EagerTaskPool
from .inbox.acceptor import InboxAcceptor

__all__ = ["Server"]

logger = logging.getLogger("communica_like")


class Server(Entity):
    """An entity that clients connect to.

    Args:
        connector: where clients find it.
        limits: bounds in bytes and seconds.
        duplicate_clients: what happens to a new client whose id belongs to another one: ``"refuse"``:
            it is turned away (ClientIdInUse) while the other has a live link; ``"replace"``: it takes
            over, and the other stops with ClientIdInUse.
        handshake_timeout: seconds that a new link has to greet.
        drain_timeout: see ``close``.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        limits: Limits | None = None,
        duplicate_clients: DuplicatePolicy = "refuse",
        handshake_timeout: float = 5.0,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(connector, limits=limits, drain_timeout=drain_timeout)
        if duplicate_clients not in ("refuse", "replace"):
            raise ValueError(f"duplicate_clients is 'refuse' or 'replace', not {duplicate_clients!r}")
        self._duplicates = duplicate_clients
        self._handshake_timeout = handshake_timeout
        self._acceptor: Acceptor | InboxAcceptor | None = None
        self._watching: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The URL that clients connect to; ``connector_from`` makes a connector of it."""
        acceptor = self._acceptor
        address = acceptor.address if acceptor is not None else None
        return address if address is not None else self.connector.dump_state()

    @property
    def clients(self) -> list[ClientInfo]:
        """The clients that have a session now."""
        return self._acceptor.infos() if self._acceptor is not None else []

    async def init(self, timeout: float | None = 0) -> Self:
        """Listen.

        Args:
            timeout: seconds to wait for the address; 0 or None: as long as it takes.

        Returns:
            The server itself.

        Raises:
            AddressInUse: a live server serves the address.
            InsecureAddress: see TcpConnector.
            LinkError: the address cannot be served; TimeoutError: not in time.
            RuntimeError: it is started already.
        """
        self._acceptor = self._prepare(self._begin())
        try:
            async with asyncio.timeout(timeout or None):
                await self._acceptor.open()
        except BaseException:
            await self.close(0)
            raise
        self._watching = asyncio.get_running_loop().create_task(
            self._end_with(self._acceptor), name=f"communica_like over {self!r}"
        )
        return self

    def _prepare(self, pool: EagerTaskPool) -> Acceptor | InboxAcceptor:
        """Return where messages come in."""
        handlers, missing = self._handlers(), self._missing
        inbox = self.connector.inbox()
        if inbox is not None:
            return InboxAcceptor(self.connector, inbox, self.limits, handlers, missing)

        def make_peer(client_id: str, acceptor: Acceptor) -> SessionDriver:
            return SessionDriver(
                client_id,
                self.limits,
                handlers,
                missing,
                pool,
                self._closing_links,
                keep=False,
                on_link_lost=acceptor.on_link_lost,
                on_ended=acceptor.on_ended,
            )

        return Acceptor(self.connector, self.limits, self._handshake_timeout, self._duplicates, make_peer)

    async def _end_with(self, acceptor: Acceptor | InboxAcceptor) -> None:
        await acceptor.wait_over()
        logger.info("%r: no client can come any more", self)
        self._watching = None  # not to be cancelled by what it begins
        if self._stop_asked is not None:
            self.stop()
        else:
            await self.close()

    async def _choose(
        self, client_id: str | None, timeout: float | None
    ) -> tuple[SessionDriver, float | None]:
        """Return the client's peer, and what is left of *timeout*."""
        acceptor = self._acceptor
        if acceptor is None or acceptor.closing is not None:
            raise self._not_running()
        if not self.connector.guarantees.calls_back:
            raise FeatureNotAvailable(
                f"a server has no clients to call at {self.connector.dump_state()}: "
                "with sessions it does, as by RmqConnector without shared=True"
            )
        if client_id is not None:
            known = acceptor.peers.get(client_id)
            if known is None:
                raise ConnectionLost(f"no client {client_id!r} is connected", sent=False)
            return known, timeout
        peer = acceptor.pick()
        if peer is not None:
            return peer, timeout
        now = asyncio.get_running_loop().time
        began = now()
        deadline = inherited_deadline.get()
        if timeout is not None:
            deadline = min(began + timeout, deadline or began + timeout)
        try:
            async with asyncio.timeout(None if deadline is None else deadline - began):
                while peer is None:
                    await acceptor.wait_client()
                    peer = acceptor.pick()
        except TimeoutError as exc:
            raise RequestTimeout("no client came in time") from exc
        return peer, None if timeout is None else began + timeout - now()

    # -- Entity's hooks

    def _peers(self) -> list[SessionDriver]:
        return list(self._acceptor.peers.values()) if self._acceptor is not None else []

    def _refuse_calls(self, error: Closed) -> None:
        if self._acceptor is not None:
            self._acceptor.refuse_clients(error)
        for peer in self._peers():
            peer.refuse_calls(error)

    async def _drain(self) -> None:
        if self._acceptor is not None and self._pool is not None:
            await self._acceptor.drain(self._pool)

    async def _disconnect(self) -> None:
        if self._acceptor is not None:
            await self._acceptor.close()
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.wait([self._watching])
