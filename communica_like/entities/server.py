"""The server side that SimpleServer and RouteServer share."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Self

from ..abc import Connector
from ..exceptions import FeatureNotAvailable
from ..wire.limits import Limits
from .backends import ClientInfo, Clients, DuplicatePolicy, ServerBackend
from .entity import Entity
from .factory import server_backend
from .handling.handlers import Codecs

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
        self._backend: ServerBackend | None = None

    @property
    def address(self) -> str:
        """The URL that clients connect to; ``connector_from`` makes a connector of it."""
        address = self._backend.address if self._backend is not None else None
        return address if address is not None else self.connector.dump_state()

    @property
    def clients(self) -> list[ClientInfo]:
        """The clients that have a session now."""
        clients = self._backend.clients if self._backend is not None else None
        return clients.infos() if clients is not None else []

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
        backend = self._backend = server_backend(
            self.connector, self.limits, self._duplicates, self._handshake_timeout, self._begin()
        )
        try:
            async with asyncio.timeout(timeout or None):
                await backend.open()
        except BaseException:
            await self.close(0)
            raise
        self._keep(self._end_with(backend))
        return self

    async def _end_with(self, backend: ServerBackend) -> None:
        await backend.run()
        logger.info("%r: no client can come any more", self)
        self._keeper = None  # not to be cancelled by what it begins
        if self._stop_asked is not None:
            self.stop()
        else:
            await self.close()

    # -- calls

    async def _request(
        self,
        route: bytes,
        codecs: Codecs,
        data: Any,
        client_id: str | None,
        timeout: float | None,
        idempotent: bool,
    ) -> Any:
        body = codecs.dump_request(data)
        channel, timeout = await self._clients_to_call().choose(client_id, timeout)
        return codecs.load_answer(await channel.request(route, body, timeout, idempotent))

    async def _throw(self, route: bytes, codecs: Codecs, data: Any, client_id: str | None) -> None:
        body = codecs.dump_request(data)
        channel, _ = await self._clients_to_call().choose(client_id, None)
        if (unfinished := channel.throw(route, body)) is not None:
            await unfinished

    def _clients_to_call(self) -> Clients:
        backend = self._backend
        if backend is None or self._closing is not None:
            raise self._not_running()
        if backend.clients is None:
            raise FeatureNotAvailable(
                f"a server has no clients to call at {self.connector.dump_state()}: "
                "with sessions it does, as by RmqConnector without shared=True"
            )
        return backend.clients

    # -- closing

    async def _drain(self) -> None:
        assert self._backend is not None
        await self._backend.drain()
