"""The client side that SimpleClient and RouteClient share."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine
from typing import Any, Final, Self

from ..abc import Connector
from ..exceptions import ConnectTimeout
from ..wire.limits import Limits
from .backends import Channel, ClientBackend
from .backoff import Backoff
from .entity import Entity
from .factory import client_backend
from .handling.handlers import Codecs

__all__ = ["Client"]

_POLL_INTERVAL: Final = 0.25


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
        self._backend: ClientBackend | None = None
        self._channel: Channel | None = None

    @property
    def client_id(self) -> str:
        """Who this client is."""
        return self._client_id

    @property
    def connected(self) -> bool:
        """Whether there is a link to the server now; with a shared inbox: a connection to the broker."""
        return self._channel is not None and self._channel.live

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
        backend = self._backend = client_backend(
            self.connector,
            self._client_id,
            self.limits,
            self._backoff,
            self._handshake_timeout,
            self._begin(),
        )
        self._channel = backend.channel
        keeper = self._keep(backend.run())
        if timeout is None:
            return self
        try:
            async with asyncio.timeout(timeout or None):
                await self._wait_connected(backend, keeper)
        except TimeoutError as exc:
            await self.close(0)
            text = f"no connection to {self.connector.dump_state()} within {timeout} s"
            if backend.last_error is not None:
                text += f"; the last attempt: {backend.last_error}"
            raise ConnectTimeout(text) from (backend.last_error or exc)
        except BaseException:
            await self.close(0)
            raise
        return self

    @staticmethod
    async def _wait_connected(backend: ClientBackend, keeper: asyncio.Task[None]) -> None:
        waiting = asyncio.ensure_future(backend.wait_connected())
        try:
            await asyncio.wait([waiting, keeper], return_when=asyncio.FIRST_COMPLETED)
            if waiting.done():
                waiting.result()
            else:
                keeper.result()  # it raises
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])

    # -- calls

    async def _request(
        self,
        route: bytes,
        codecs: Codecs,
        data: Any,
        timeout: float | None,
        idempotent: bool,
        key: str | None,
    ) -> Any:
        body = codecs.dump_request(data)
        channel = self._channel
        if channel is None:
            raise self._not_running()
        return codecs.load_answer(await channel.request(route, body, timeout, idempotent, key))

    def _throw(
        self, route: bytes, codecs: Codecs, data: Any, timeout: float | None, key: str | None
    ) -> Coroutine[Any, Any, None] | None:
        """Send a throw; return what completes it, or None: most are done at once, and cost no coroutine."""
        body = codecs.dump_request(data)
        channel = self._channel
        if channel is None:
            raise self._not_running()
        return channel.throw(route, body, timeout, key)

    # -- closing

    async def _drain(self) -> None:
        backend, keeper = self._backend, self._keeper
        assert backend is not None
        waiting = asyncio.ensure_future(self._settle(backend.channel))
        try:
            while not waiting.done():
                if keeper is not None and keeper.done():
                    return  # there will be no connection any more
                left = _POLL_INTERVAL
                if backend.gone_since is not None:
                    # A server that is gone has the resume window to come back for what was thrown.
                    until = backend.gone_since + self.limits.resume_window
                    left = until - asyncio.get_running_loop().time()
                    if left <= 0:
                        return
                await asyncio.wait([waiting], timeout=min(left, _POLL_INTERVAL))
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])

    async def _settle(self, channel: Channel) -> None:
        pool = self._pool
        assert pool is not None
        while not (pool.idle and channel.settled):
            await pool.wait_idle()
            await channel.flushed()
