"""SimpleServer and SimpleClient: one handler."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
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
from .routes import OTHER_SIDE, RouteTable, shorten
from .server import Server


class SimpleServer(Server):
    """A server with one handler, for SimpleClients.

    Args:
        connector: where clients find it.
        handler: ``def`` or ``async def``; takes no argument, the data, or the data and a Context, and
            returns the response. A plain ``def`` runs on the event loop; see threaded_handler.
        serializer, limits, default_timeout, drain_timeout: see SimpleClient.
        duplicate_clients: what happens to a new client whose id belongs to another one. ``"refuse"``:
            it is turned away (ClientIdInUse) while the other has a live link. ``"replace"``: it takes
            over, and the other stops with ClientIdInUse.
        handshake_timeout: seconds that a new link has for its handshake.

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
            connector, limits, duplicate_clients, default_timeout, handshake_timeout, drain_timeout
        )
        self._codecs = Codecs(serializer or JsonSerializer())
        self._handlers = _table(handler, self._codecs.serializer, "Server")
        self._missing = partial(_missing, "Server")

    async def request(
        self, data: Any = None, *, client_id: str | None = None, timeout: Timeout = "default",
        idempotent: bool = False
    ) -> Any:
        """Send a request to a client and return its response. Otherwise like SimpleClient.request.

        Args:
            client_id: which client. None: any that is connected, another one each time. Waits for one
                if there is none.
            data, timeout: as for SimpleClient.request.
            idempotent: has no effect on a server, whose sessions end with their clients.

        Raises:
            ConnectionLost: the client is gone; ``sent`` tells whether it may have received the request.
            Exception: the others of SimpleClient.request.

        Requests to one client start in the order of the calls.
        """
        body = self._codecs.dump_request(data)
        channel, timeout = await self._choose(client_id, timeout)
        return self._codecs.load_answer(await channel.request(b"", body, timeout, idempotent))

    async def throw(
        self, data: Any = None, *, client_id: str | None = None, timeout: Timeout = "default"
    ) -> None:
        """Send a message to a client without waiting for it to be handled (a notification).

        The promises of SimpleClient.throw hold as long as the client lives and comes back within the
        resume window; what is lost is logged.

        Args:
            data, client_id: as for ``request``.
            timeout: seconds to wait for a client and for room in the outbox.

        Raises:
            SerializerError, MessageTooBig, RequestTimeout, ConnectionLost, Closed: the message was not sent.
        """
        body = self._codecs.dump_request(data)
        channel, timeout = await self._choose(client_id, timeout)
        if (unfinished := channel.throw(b"", body, timeout)) is not None:
            await unfinished


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
            connector, client_id, limits, backoff, default_timeout, handshake_timeout, drain_timeout
        )
        self._codecs = Codecs(serializer or JsonSerializer())
        self._handlers = _table(handler, self._codecs.serializer, "Client")
        self._missing = partial(_missing, "Client")

    async def request(
        self, data: Any = None, *, timeout: Timeout = "default", idempotent: bool = False,
        key: str | None = None
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
        body = self._codecs.dump_request(data)
        channel = self._channel or self._refuse_call()
        timeout = self._seconds(timeout)
        return self._codecs.load_answer(await channel.request(b"", body, timeout, idempotent, key))

    async def throw(self, data: Any = None, *, timeout: Timeout = "default", key: str | None = None) -> None:
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
        body = self._codecs.dump_request(data)
        channel = self._channel or self._refuse_call()
        timeout = self._seconds(timeout)
        if (unfinished := channel.throw(b"", body, timeout, key)) is not None:
            await unfinished


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


def _missing(side: str, route: str) -> Failure:
    if not route:
        return Failure(RESP, "the other side has no handler")
    text = f"the other side is a Simple{side}, which has one handler and no routes such as {shorten(route)}"
    return Failure(NO_ROUTE, f"{text}: call it with a Simple{OTHER_SIDE[side]}", 404)
