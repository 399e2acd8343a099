"""SimpleServer and SimpleClient: one handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ..abc import Connector, Serializer
from ..serializers import JsonSerializer
from ..wire.failure import NO_ROUTE, RESP, Failure
from ..wire.limits import Limits
from .backends import DuplicatePolicy
from .backoff import Backoff
from .client import Client
from .handling.handlers import Codecs, Handler
from .routes import shorten
from .server import Server

__all__ = ["SimpleClient", "SimpleServer"]

_NO_HANDLER = Failure(RESP, "the other side has no handler")
_NO_ROUTES = "the other side is a {}, which has one handler and no routes such as {}: call it with a {}"


class SimpleServer(Server):
    """A server with one handler, for SimpleClients.

    Args:
        connector: where clients find it.
        handler: ``def`` or ``async def``; takes the data, or the data and a Context, and returns the
            answer. A plain ``def`` runs on the event loop; see threaded_handler.
        serializer: by default JsonSerializer(); the same as the clients'.
        limits, duplicate_clients, handshake_timeout, drain_timeout: see Server.
    """

    def __init__(
        self,
        connector: Connector,
        handler: Callable[..., Any] | None = None,
        serializer: Serializer | None = None,
        *,
        limits: Limits | None = None,
        duplicate_clients: DuplicatePolicy = "refuse",
        handshake_timeout: float = 5.0,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector,
            limits=limits,
            duplicate_clients=duplicate_clients,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        serializer = serializer or JsonSerializer()
        self._codecs = Codecs(serializer)
        self._handler_table = _table(handler, serializer)

    async def request(
        self,
        data: Any,
        client_id: str | None = None,
        *,
        timeout: float | None = None,
        idempotent: bool = False,
    ) -> Any:
        """Send a request to a client and return its answer.

        Args:
            data: what the serializer takes.
            client_id: which client. None: any that is connected, another one each time; waits for one
                if there is none.
            timeout: seconds, for everything. None: no limit but that of the request that is being
                handled, if this is called in a handler.
            idempotent: has no effect on a server, whose sessions end with their clients.

        Raises:
            ReqError, RespError, UnknownError: what the handler raised.
            SerializerError: the data, or the answer, cannot be dumped or loaded.
            MessageTooBig: one side does not take it.
            RequestTimeout: no answer in time.
            ConnectionLost: the client is gone; ``sent`` tells whether it may have got the request.
            Closed: the server is closed, or was while this waited.

        Cancelling it cancels the handler. Requests to one client start in the order of the calls; one of
        over 32 KiB may be overtaken.
        """
        return await self._request(b"", self._codecs, data, client_id, timeout, idempotent)

    async def throw(self, data: Any, client_id: str | None = None) -> None:
        """Send a message to a client without waiting for it to be handled.

        It returns when the message is in the outbox, and waits while that is full. It will be delivered
        once, and in the order of the calls, as long as the client lives and comes back within the resume
        window; what is lost is logged. A throw that fails in its handler is logged there.

        Args:
            data, client_id: as for ``request``.

        Raises:
            SerializerError, MessageTooBig, ConnectionLost, Closed: as ``request`` does; it was not sent.

        If it is cancelled, nothing was sent.
        """
        await self._throw(b"", self._codecs, data, client_id)

    def _handlers(self) -> Mapping[bytes, Handler]:
        return self._handler_table

    def _missing(self, route: str) -> Failure:
        return _missing(route, "SimpleServer", "SimpleClient")


class SimpleClient(Client):
    """A client with at most one handler, for a SimpleServer.

    Args:
        connector: where the server is.
        handler: for the server's requests and throws; without one, its requests fail with RespError.
        serializer: by default JsonSerializer(); the same as the server's.
        client_id: who this client is; by default a random one.
        limits, backoff, handshake_timeout, drain_timeout: see Client.
    """

    def __init__(
        self,
        connector: Connector,
        handler: Callable[..., Any] | None = None,
        serializer: Serializer | None = None,
        client_id: str | None = None,
        *,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        handshake_timeout: float | None = None,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector,
            client_id,
            limits=limits,
            backoff=backoff,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        serializer = serializer or JsonSerializer()
        self._codecs = Codecs(serializer)
        self._handler_table = _table(handler, serializer)

    async def request(
        self, data: Any, *, timeout: float | None = None, idempotent: bool = False, key: str | None = None
    ) -> Any:
        """Send a request to the server and return its answer.

        Args:
            data: what the serializer takes.
            timeout: seconds, for everything, waiting for a connection too. None: no limit but that of
                the request that is being handled, if this is called in a handler.
            idempotent: whether it may be handled twice: then, if the server dies or closes, it is sent
                again to the next one instead of ending with ConnectionLost.
            key: with a shared inbox, what handlers get as ``Context.key``: the same with each copy, so that
                they can do once what is to be done once. 1 to 255 bytes of UTF-8; by default a new one.
                Sessions handle each message once, and make no use of it.

        Raises:
            ReqError, RespError, UnknownError: what the handler raised.
            SerializerError: the data, or the answer, cannot be dumped or loaded.
            MessageTooBig: one side does not take it.
            RequestTimeout: no answer in time.
            ConnectionLost: the server is gone; ``sent`` tells whether it may have got the request.
            Closed: the client is closed, or was while this waited.

        Cancelling it cancels the handler. Requests start in the order of the calls; one of over 32 KiB
        may be overtaken.
        """
        return await self._request(b"", self._codecs, data, timeout, idempotent, key)

    async def throw(self, data: Any, *, timeout: float | None = None, key: str | None = None) -> None:
        """Send a message to the server without waiting for it to be handled.

        It returns when the message is in the outbox, and waits while that is full. It will be delivered
        once, and in the order of the calls, however often the connection breaks. If the server dies,
        what it had not acknowledged goes to the next one. A throw that fails in its handler is logged
        there.

        With a shared inbox it returns when the broker has confirmed that it will not lose the message, also
        while no server is up. It may be handled more than once.

        Args:
            data: what the serializer takes.
            timeout: seconds to wait for room in the outbox, or for the broker. None: as long as it takes, but
                for the limit of the request that is being handled, if this is called in a handler.
            key: as for ``request``.

        Raises:
            SerializerError, MessageTooBig, Closed: it was not sent.
            RequestTimeout: it was not sent in time; with a shared inbox: it may have been.
            ConnectionLost: of a shared inbox: the client was closed before the broker confirmed.

        If it is cancelled, nothing was sent; with a shared inbox, it may have been.
        """
        if (unfinished := self._throw(b"", self._codecs, data, timeout, key)) is not None:
            await unfinished

    def _handlers(self) -> Mapping[bytes, Handler]:
        return self._handler_table

    def _missing(self, route: str) -> Failure:
        return _missing(route, "SimpleClient", "SimpleServer")


def _missing(route: str, this: str, other: str) -> Failure:
    if not route:
        return _NO_HANDLER
    return Failure(NO_ROUTE, _NO_ROUTES.format(this, shorten(route), other), 404)


def _table(handler: Callable[..., Any] | None, serializer: Serializer) -> dict[bytes, Handler]:
    return {} if handler is None else {b"": Handler(handler, serializer)}
