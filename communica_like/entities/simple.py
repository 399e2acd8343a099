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
from .entity import Timeout
from .handling.handlers import Codecs, Handler
from .routes import RouteTable, shorten
from .server import Server


class SimpleServer(Server):
    """A server with one handler, for SimpleClients.

    Args:
        connector: where clients find it.
        handler: ``def`` or ``async def``; takes no argument, the data, or the data and a Context, and
            returns the response. A plain ``def`` runs on the event loop; see threaded_handler.
        serializer: by default JsonSerializer(); the same as the clients'.
        limits: bounds in bytes and seconds.
        duplicate_clients: what happens to a new client whose id belongs to another one. ``"refuse"``:
            it is turned away (ClientIdInUse) while the other has a live link. ``"replace"``: it takes
            over, and the other stops with ClientIdInUse.
        default_timeout: seconds for requests and throws that name no timeout; None: no limit.
        handshake_timeout: seconds that a new link has for its handshake.
        drain_timeout: seconds for ``close()`` to deliver what was thrown and to let handlers end.

    Raises:
        TypeError: an argument is of another kind; the message shows the right call.
    """

    def __init__(
        self,
        connector: Connector,
        handler: Callable[..., Any] | None = None,
        serializer: Serializer | None = None,
        *,
        limits: Limits | None = None,
        duplicate_clients: DuplicatePolicy = "refuse",
        default_timeout: float | None = None,
        handshake_timeout: float = 5.0,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector,
            limits=limits,
            duplicate_clients=duplicate_clients,
            default_timeout=default_timeout,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        self._codecs = Codecs(serializer or JsonSerializer())
        self._handler_table = _table(handler, self._codecs.serializer, "Server")

    async def request(
        self,
        data: Any = None,
        *,
        client_id: str | None = None,
        timeout: Timeout = "default",
        idempotent: bool = False,
    ) -> Any:
        """Send a request to a client and return its response.

        Args:
            data: what the serializer takes.
            client_id: which client. None: any that is connected, another one each time. Waits for one
                if there is none.
            timeout: seconds, for everything. ``"default"``: the server's ``default_timeout``. None: no
                limit. In a handler, the limit of the request that it handles applies as well.
            idempotent: has no effect on a server, whose sessions end with their clients.

        Raises:
            ReqError, RespError, HandlerError: what the handler raised.
            NoSuchRoute: the client is a RouteClient.
            SerializerError: the data, or the response, cannot be dumped or loaded.
            MessageTooBig: one side does not take it.
            RequestTimeout: no response in time.
            ConnectionLost: the client is gone; ``sent`` tells whether it may have received the request.
            Closed: the server is closed, or was closed while the call waited.

        Cancelling the call cancels the handler. Requests to one client start in the order of the calls;
        one of over 32 KiB may be overtaken.
        """
        response = await self._request(b"", self._codecs.dump_request(data), client_id, timeout, idempotent)
        return self._codecs.load_answer(response)

    async def throw(
        self, data: Any = None, *, client_id: str | None = None, timeout: Timeout = "default"
    ) -> None:
        """Send a message to a client without waiting for it to be handled (a notification).

        The call returns when the message is in the outbox, and waits while the outbox is full. The
        message is delivered once, and in the order of the calls, as long as the client lives and comes
        back within the resume window; what is lost is logged. An error in the client's handler is logged
        there.

        Args:
            data, client_id: as for ``request``.
            timeout: seconds to wait for a client and for room in the outbox; see ``request``.

        Raises:
            SerializerError, MessageTooBig, RequestTimeout, ConnectionLost, Closed: as ``request`` does;
                the message was not sent.

        If the call is cancelled, nothing was sent.
        """
        await self._throw(b"", self._codecs.dump_request(data), client_id, timeout)

    def _handlers(self) -> Mapping[bytes, Handler]:
        return self._handler_table

    def _missing(self, route: str) -> Failure:
        return _missing(route, "Server", "Client")


class SimpleClient(Client):
    """A client with at most one handler, for a SimpleServer.

    Args:
        connector: where the server is.
        handler: for the server's requests and throws; without one, its requests fail with RespError.
        serializer: by default JsonSerializer(); the same as the server's.
        client_id: who this client is, 1 to 255 bytes of UTF-8; by default a random one.
        limits: bounds in bytes and seconds.
        backoff: how long to wait between attempts to connect.
        default_timeout: seconds for requests and throws that name no timeout; None: no limit.
        handshake_timeout: seconds for one attempt to connect; None: the connector's own, usually 5.
        drain_timeout: seconds for ``close()`` to deliver what was thrown and to let handlers end.

    Raises:
        TypeError: an argument is of another kind; the message shows the right call.
    """

    def __init__(
        self,
        connector: Connector,
        handler: Callable[..., Any] | None = None,
        serializer: Serializer | None = None,
        *,
        client_id: str | None = None,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        default_timeout: float | None = None,
        handshake_timeout: float | None = None,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector,
            client_id=client_id,
            limits=limits,
            backoff=backoff,
            default_timeout=default_timeout,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        self._codecs = Codecs(serializer or JsonSerializer())
        self._handler_table = _table(handler, self._codecs.serializer, "Client")

    async def request(
        self,
        data: Any = None,
        *,
        timeout: Timeout = "default",
        idempotent: bool = False,
        key: str | None = None,
    ) -> Any:
        """Send a request to the server and return its response.

        Args:
            data: what the serializer takes.
            timeout: seconds, for everything, waiting for a connection too. ``"default"``: the client's
                ``default_timeout``. None: no limit. In a handler, the limit of the request that it
                handles applies as well.
            idempotent: whether it may be handled twice. If so, and the server dies or closes, the request
                is sent to the next server instead of ending with ConnectionLost.
            key: with a shared inbox, what handlers get as ``Context.key``: the same with each copy, so that
                they can do once what is to be done once. 1 to 255 bytes of UTF-8; by default a new one.
                Sessions handle each message once, and ignore it.

        Raises:
            ReqError, RespError, HandlerError: what the handler raised.
            NoSuchRoute: the server is a RouteServer.
            SerializerError: the data, or the response, cannot be dumped or loaded.
            MessageTooBig: one side does not take it.
            RequestTimeout: no response in time.
            ConnectionLost: the server is gone; ``sent`` tells whether it may have received the request.
            Closed: the client is closed, or was closed while the call waited.

        Cancelling the call cancels the handler. Requests start in the order of the calls; one of over
        32 KiB may be overtaken.
        """
        response = await self._request(b"", self._codecs.dump_request(data), timeout, idempotent, key)
        return self._codecs.load_answer(response)

    async def throw(
        self, data: Any = None, *, timeout: Timeout = "default", key: str | None = None
    ) -> None:
        """Send a message to the server without waiting for it to be handled (a notification).

        The call returns when the message is in the outbox, and waits while the outbox is full. The
        message is delivered once, and in the order of the calls, however often the connection breaks. If
        the server dies, what it had not acknowledged goes to the next one. An error in the server's
        handler is logged there.

        With a shared inbox the call returns when the broker has confirmed that it will not lose the
        message, also while no server is up. The message may be handled more than once.

        Args:
            data: what the serializer takes.
            timeout: seconds to wait for room in the outbox, or for the broker; see ``request``.
            key: as for ``request``.

        Raises:
            SerializerError, MessageTooBig, Closed: the message was not sent.
            RequestTimeout: it was not sent in time; with a shared inbox it may have been.
            ConnectionLost: with a shared inbox: the client was closed before the broker confirmed.

        If the call is cancelled, nothing was sent; with a shared inbox the message may have been.
        """
        if (unfinished := self._throw(b"", self._codecs.dump_request(data), timeout, key)) is not None:
            await unfinished

    def _handlers(self) -> Mapping[bytes, Handler]:
        return self._handler_table

    def _missing(self, route: str) -> Failure:
        return _missing(route, "Client", "Server")


def _table(handler: object, serializer: Serializer, side: str) -> dict[bytes, Handler]:
    if handler is None:
        return {}
    if not callable(handler):
        call = f"Simple{side}(connector, handler)"
        if isinstance(handler, RouteTable):
            call += f"; with a table: Route{side}(connector, table)"
        elif isinstance(handler, str) and side == "Client":
            call += f"; with an id: SimpleClient(connector, client_id={handler!r})"
        raise TypeError(f"a handler is callable; {handler!r} is not: {call}")
    return {b"": Handler(handler, serializer)}


def _missing(route: str, side: str, other: str) -> Failure:
    if not route:
        return Failure(RESP, "the other side has no handler")
    text = f"the other side is a Simple{side}, which has one handler and no routes such as {shorten(route)}"
    return Failure(NO_ROUTE, f"{text}: call it with a Simple{other}", 404)
