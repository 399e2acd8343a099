"""The client side that SimpleClient and RouteClient share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any, Self

from ..abc import Connector
from ..exceptions import Closed, ConnectTimeout
from ..wire.greetings import Reason
from ..wire.limits import Limits
from .backoff import Backoff
from .connection.driver import SessionDriver
from .connection.reconnector import Reconnector
from .entity import Entity
from .handling.tasks import EagerTaskPool
from .inbox.calls import InboxCalls
from .inbox.reconnector import InboxReconnector

__all__ = ["Client"]


class Client(Entity):
    """An entity that connects to a server, and connects again when the connection breaks.

    Args:
        connector: where the server is.
        client_id: who this client is, 1 to 255 bytes of UTF-8; by default a random one.
        limits: bounds in bytes and seconds.
        backoff: how long it waits between attempts to connect.
        handshake_timeout: seconds for one attempt; None: what the connector thinks right, mostly 5.
        drain_timeout: see ``close``.
    """

    def __init__(
        self,
        connector: Connector,
        client_id: str | None = None,
        *,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        handshake_timeout: float | None = None,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(connector, limits=limits, drain_timeout=drain_timeout)
        self._client_id = client_id if client_id is not None else secrets.token_hex(16)
        if not isinstance(self._client_id, str) or not 0 < len(self._client_id.encode()) <= 255:
            raise ValueError(f"a client id has 1 to 255 bytes of UTF-8, not {client_id!r}")
        self._backoff = backoff or Backoff()
        if handshake_timeout is None:
            handshake_timeout = connector.handshake_timeout
        self._handshake_timeout = handshake_timeout
        self._peer: SessionDriver | InboxCalls | None = None
        self._reconnector: Reconnector | InboxReconnector | None = None
        self._dialing: asyncio.Task[None] | None = None

    @property
    def client_id(self) -> str:
        """Who this client is."""
        return self._client_id

    @property
    def connected(self) -> bool:
        """Whether there is a link to the server now; with a shared inbox: a connection to the broker."""
        return self._peer is not None and self._peer.live

    async def init(self, timeout: float | None = 0) -> Self:
        """Connect to the server.

        Args:
            timeout: seconds to wait for the server. 0, the default: wait until it is there.
                None: return at once; requests wait for the connection.

        Returns:
            The client itself.

        Raises:
            ConnectTimeout: the server was not reached in time.
            HandshakeError: the server does not let this client in: wrong authkey
                (AuthenticationError), wrong version (VersionMismatch), id in use (ClientIdInUse).
            LinkError: of a connector that makes one attempt only, such as StdioConnector.
            RuntimeError: it is started already.

        After an exception, or a cancellation, the client is closed; it may be started again.
        """
        reconnector, running = self._prepare(self._begin())
        self._dialing = asyncio.get_running_loop().create_task(
            running, name=f"communica_like client {self._client_id}"
        )
        self._dialing.add_done_callback(self._dialing_ended)
        if timeout is None:
            return self
        try:
            async with asyncio.timeout(timeout or None):
                await self._wait_connected(reconnector, self._dialing)
        except TimeoutError as exc:
            await self.close(0)
            text = f"no connection to {self.connector.dump_state()} within {timeout} s"
            if reconnector.last_error is not None:
                text += f"; the last attempt: {reconnector.last_error}"
            raise ConnectTimeout(text) from (reconnector.last_error or exc)
        except BaseException:
            await self.close(0)
            raise
        return self

    def _prepare(
        self, pool: EagerTaskPool
    ) -> tuple[Reconnector | InboxReconnector, Coroutine[Any, Any, None]]:
        """Make what calls go through; return what keeps it connected."""
        inbox = self.connector.inbox()
        if inbox is not None:
            mail = self._peer = InboxCalls(self._client_id, self.limits, inbox)
            keeper = self._reconnector = InboxReconnector(self._backoff)
            return keeper, keeper.run(mail)
        reconnector = self._reconnector = Reconnector(self.connector, self._backoff, self._handshake_timeout)
        peer = self._peer = SessionDriver(
            self._client_id,
            self.limits,
            self._handlers(),
            self._missing,
            pool,
            self._closing_links,
            keep=True,
            on_link_lost=reconnector.on_link_lost,
            on_ended=reconnector.on_ended,
        )
        return reconnector, reconnector.run(peer)

    @staticmethod
    async def _wait_connected(
        reconnector: Reconnector | InboxReconnector, dialing: asyncio.Task[None]
    ) -> None:
        waiting = asyncio.ensure_future(reconnector.wait_connected())
        try:
            await asyncio.wait([waiting, dialing], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                waiting.result()
            else:
                dialing.result()  # it raises
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])

    def _dialing_ended(self, dialing: asyncio.Task[None]) -> None:
        if not dialing.cancelled() and (error := dialing.exception()) is not None:
            self._fail(error)

    # -- Entity's hooks

    def _peers(self) -> list[SessionDriver]:
        return [self._peer] if isinstance(self._peer, SessionDriver) else []

    def _end_for_good(self, reason: Reason) -> None:
        if self._peer is not None:
            self._peer.end_for_good(reason)

    def _refuse_calls(self, error: Closed) -> None:
        if self._peer is not None:
            self._peer.refuse_calls(error)

    async def _drain(self) -> None:
        peer, reconnector = self._peer, self._reconnector
        assert peer is not None
        assert reconnector is not None
        waiting = asyncio.ensure_future(self._settle(peer))
        try:
            while not waiting.done():
                if self._dialing is not None and self._dialing.done():
                    return  # there will be no link any more
                if reconnector.gone_since is not None:
                    # A server that is gone has the resume window to come back for what was thrown.
                    until = reconnector.gone_since + self.limits.resume_window
                    left = until - asyncio.get_running_loop().time()
                    if left <= 0:
                        return
                else:
                    left = 0.25
                await asyncio.wait([waiting], timeout=min(left, 0.25))
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])

    async def _settle(self, peer: SessionDriver | InboxCalls) -> None:
        pool = self._pool
        assert pool is not None
        while not (pool.idle and peer.settled):
            await pool.wait_idle()
            await peer.flushed()

    async def _disconnect(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            await asyncio.wait([self._dialing])
            if not self._dialing.cancelled():
                self._dialing.exception()
