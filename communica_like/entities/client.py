"""The client side that SimpleClient and RouteClient share."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final, NoReturn, Self

from ..abc import Connector
from ..arguments import check_kind, check_seconds
from ..exceptions import ConnectTimeout
from ..wire.limits import Limits
from .backends import Channel, ClientBackend, reason_of, whereabouts
from .backoff import Backoff
from .connection.reconnector import Reconnector
from .entity import Entity
from .handling.runner import HandlerSet
from .inbox.reconnector import InboxReconnector
from .routes import RouteTable

_POLL_INTERVAL: Final = 0.25


class Client(Entity):
    """An entity that connects to a server, and connects again when the connection breaks.

    Args: see SimpleClient.
    """

    def __init__(
        self, connector: Connector, client_id: str | None, limits: Limits | None, backoff: Backoff | None,
        default_timeout: float | None, handshake_timeout: float | None, drain_timeout: float,
    ) -> None:
        super().__init__(connector, limits, default_timeout, drain_timeout)
        given: object = client_id
        if not isinstance(given, str | None):
            call = f"{type(self).__name__}(connector, ..., client_id='name')"
            if isinstance(given, RouteTable):
                call = "RouteClient(connector, table, client_id='name')"
            raise TypeError(f"a client id is a str, not {given!r}: {call}")
        self._client_id = client_id if client_id is not None else secrets.token_hex(16)
        if not 0 < len(self._client_id.encode()) <= 255:
            raise ValueError(f"a client id has 1 to 255 bytes of UTF-8, not {client_id!r}")
        check_kind(backoff, Backoff | None, "backoff is a Backoff or None", "backoff=Backoff(maximum=1.0)")
        self._backoff = backoff or Backoff()
        check_seconds("handshake_timeout", handshake_timeout, optional=True)
        usual = connector.handshake_timeout
        self._handshake_timeout = usual if handshake_timeout is None else handshake_timeout
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

    async def init(self, timeout: float | None = None, *, wait: bool = True) -> Self:
        """Connect to the server, and wait until it is there.

        Args:
            timeout: seconds to wait. None: as long as it takes. 0: one attempt, of at most
                ``handshake_timeout`` seconds.
            wait: False: return at once and connect in the background. Requests wait for the connection,
                and throws are kept for it. Failures are logged, and calls raise those that another
                attempt cannot cure.

        Returns:
            The client itself.

        Raises:
            ConnectTimeout: the server was not reached in time; the message says why.
            HandshakeError: the server does not let this client in: wrong authkey
                (AuthenticationError), wrong version (VersionMismatch), id in use (ClientIdInUse).
            LinkError: of a connector that makes one attempt only, such as StdioConnector; or a lasting one.
            Closed: the client was closed meanwhile.
            RuntimeError: the client is already started.

        After an exception, or a cancellation, the client is closed; it may be started again.
        """
        if timeout is not None and not wait:
            raise TypeError("init(wait=False) returns at once, and takes no timeout")
        backend = self._begin(self._make_backend)
        self._channel = backend.channel
        keeper = self._keep(backend.run())
        if not wait:
            return self
        try:
            await self._connect(backend, keeper, timeout)
        except BaseException:
            await self.close(0)
            raise
        return self

    def _make_backend(self, handlers: HandlerSet) -> ClientBackend:
        connector, inbox = self.connector, self.connector.inbox()
        args = self._client_id, self.limits, self._backoff, self._handshake_timeout
        if inbox is not None:
            return InboxReconnector(connector, inbox, *args)
        return Reconnector(connector, *args, handlers)

    async def _connect(
        self, backend: ClientBackend, keeper: asyncio.Task[None], timeout: float | None
    ) -> None:
        once = timeout is not None and timeout <= 0
        waiting = asyncio.ensure_future(backend.wait_connected(once))
        try:
            limit = None if once else timeout
            await asyncio.wait([waiting, keeper], timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if waiting.done() and waiting.result():
                return
            if self._closing is not None:
                self._refuse_call()
            if keeper.done():
                keeper.result()  # raises
        finally:
            waiting.cancel()
            await asyncio.wait([waiting])
        within = "" if once else f" within {timeout} s"
        error = backend.last_error
        reason = reason_of(error, self.connector) if error else "the first attempt was not over"
        text = f"no connection to {whereabouts(self.connector)}{within}: {reason}"
        raise ConnectTimeout(text) from error

    def _refuse_call(self) -> NoReturn:
        raise self._not_running()

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
