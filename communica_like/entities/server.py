"""The server side that SimpleServer and RouteServer share."""

from __future__ import annotations

import asyncio
import logging
from typing import Self

from ..abc import Connector
from ..arguments import check_seconds
from ..exceptions import ConnectTimeout, FeatureNotAvailable
from ..wire.limits import Limits
from .backends import Channel, ClientInfo, DuplicatePolicy, ServerBackend, whereabouts
from .connection.acceptor import Acceptor
from .entity import Entity, Timeout
from .handling.runner import HandlerSet
from .inbox.acceptor import InboxAcceptor

logger = logging.getLogger("communica_like")


class Server(Entity):
    """An entity that clients connect to.

    Args: see SimpleServer.
    """

    def __init__(
        self, connector: Connector, limits: Limits | None, duplicate_clients: DuplicatePolicy,
        default_timeout: float | None, handshake_timeout: float, drain_timeout: float,
    ) -> None:
        super().__init__(connector, limits, default_timeout, drain_timeout)
        if duplicate_clients not in ("refuse", "replace"):
            raise ValueError(f"duplicate_clients is 'refuse' or 'replace', not {duplicate_clients!r}")
        check_seconds("handshake_timeout", handshake_timeout)
        self._duplicates = duplicate_clients
        self._handshake_timeout = handshake_timeout
        self._backend: ServerBackend | None = None

    @property
    def address(self) -> str:
        """The URL that clients connect to; ``connector_from`` makes a connector of it."""
        return (self._backend and self._backend.address) or self.connector.dump_state()

    @property
    def path(self) -> str | None:
        """The path of the file that clients connect through, such as a socket; None: there is no file."""
        return self.connector.path

    @property
    def clients(self) -> list[ClientInfo]:
        """The clients that have a session now."""
        clients = self._backend.clients if self._backend is not None else None
        return clients.infos() if clients is not None else []

    async def init(self, timeout: float | None = None) -> Self:
        """Listen.

        Args:
            timeout: seconds to wait until the address is served. None: as long as it takes. 0: one
                attempt, of at most ``handshake_timeout`` seconds.

        Returns:
            The server itself.

        Raises:
            AddressInUse: a live server serves the address. Raised at once, whatever the timeout.
            LinkError: the address cannot be served. Raised at once, too.
            ConnectTimeout: the address was not served in time.
            Closed: the server was closed meanwhile.
            InsecureAddress: see TcpConnector.
            RuntimeError: the server is already started.

        After an exception, or a cancellation, the server is closed; it may be started again.
        """
        backend = self._begin(self._make_backend)
        limit = self._handshake_timeout if timeout is not None and timeout <= 0 else timeout
        # A task, so that close() ends it and then finds all that it opened.
        opening = self._keeper = asyncio.get_running_loop().create_task(backend.open())
        try:
            await asyncio.wait([opening], timeout=limit)
            if self._closing is not None:
                raise self._not_running()
            if not opening.done():
                text = f"{whereabouts(self.connector)} could not be served within {limit} s"
                raise ConnectTimeout(text)
            opening.result()
        except BaseException:
            await self.close(0)
            raise
        self._keep(self._end_with(backend))
        return self

    def _make_backend(self, handlers: HandlerSet) -> ServerBackend:
        connector, inbox = self.connector, self.connector.inbox()
        if inbox is not None:
            return InboxAcceptor(connector.dump_state(), inbox, self.limits, handlers)
        return Acceptor(connector, self.limits, self._handshake_timeout, self._duplicates, handlers)

    async def _end_with(self, backend: ServerBackend) -> None:
        await backend.run()
        logger.info("%r: no client can come any more", self)
        self._keeper = None  # not to be cancelled by what it begins
        if self._stop_asked is not None:
            self.stop()
        else:
            await self.close()

    async def _choose(self, client_id: str | None, timeout: Timeout) -> tuple[Channel, float | None]:
        """Return the channel to a client, and the seconds that are left; wait for a client if need be."""
        timeout = self._seconds(timeout)
        backend = self._backend
        if backend is None or self._closing is not None:
            raise self._not_running()
        if backend.clients is None:
            raise FeatureNotAvailable(
                f"a server has no clients to call at {self.connector.dump_state()}: "
                "with RmqConnector, which has sessions, it does"
            )
        channel = backend.clients.find(client_id)
        return await backend.clients.wait(timeout) if channel is None else (channel, timeout)

    async def _drain(self) -> None:
        assert self._backend is not None
        await self._backend.drain()
