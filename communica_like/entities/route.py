"""RouteServer and RouteClient: handlers by exact route name."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..abc import Connector, Serializer
from ..serializers import JsonSerializer
from ..wire.limits import Limits
from .backends import DuplicatePolicy
from .backoff import Backoff
from .client import Client
from .entity import Timeout
from .routes import RouteCalls, RouteTable, Tables, no_such_route
from .server import Server


class RouteServer(Server):
    """A server with handlers by route, for RouteClients.

    Args:
        connector: where clients find it.
        route_table: a table, or several; their routes are copied. More may be added to ``routes``.
        serializer: for routes that name none; by default JsonSerializer(). Tables have their own.
        limits, duplicate_clients, default_timeout, handshake_timeout, drain_timeout: see SimpleServer.

    Attributes:
        routes: this server's own table: ``server.routes.handler("name")`` works at any time.

    Raises:
        RouteOverrideError: two tables have the same route.
        TypeError: an argument is of another kind; the message shows the right call.
    """

    def __init__(
        self,
        connector: Connector,
        route_table: Tables = None,
        *,
        serializer: Serializer | None = None,
        limits: Limits | None = None,
        duplicate_clients: DuplicatePolicy = "refuse",
        default_timeout: float | None = None,
        handshake_timeout: float = 5.0,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector, limits, duplicate_clients, default_timeout, handshake_timeout, drain_timeout
        )
        self.routes = RouteTable.joined(route_table, serializer or JsonSerializer(), "Server")
        self._calls = RouteCalls(self.routes)
        self._handlers = self.routes.handlers
        self._missing = partial(no_such_route, self.routes, "Server")

    async def request(
        self, route: str, data: Any = None, *, serializer: Serializer | None = None,
        client_id: str | None = None, timeout: Timeout = "default", idempotent: bool = False
    ) -> Any:
        """Send a request to a route of a client and return its response.

        Args:
            route, serializer: as for RouteClient.request.
            data, client_id, timeout, idempotent: as for SimpleServer.request.

        Raises:
            NoSuchRoute, TypeError: as RouteClient.request does.
            Exception: the others of SimpleServer.request, whose other promises hold, too.
        """
        name, codecs = self._calls.find(route, serializer)
        body = codecs.dump_request(data)
        channel, timeout = await self._choose(client_id, timeout)
        return codecs.load_answer(await channel.request(name, body, timeout, idempotent))

    async def throw(
        self, route: str, data: Any = None, *, serializer: Serializer | None = None,
        client_id: str | None = None, timeout: Timeout = "default"
    ) -> None:
        """Send a message to a route of a client without waiting for it to be handled (a notification).

        Arguments are those of ``request``, promises and exceptions those of SimpleServer.throw. A throw to
        a route that the client does not have is logged there.
        """
        name, codecs = self._calls.find(route, serializer)
        body = codecs.dump_request(data)
        channel, timeout = await self._choose(client_id, timeout)
        if (unfinished := channel.throw(name, body, timeout)) is not None:
            await unfinished


class RouteClient(Client):
    """A client with handlers by route, for a RouteServer.

    Args:
        connector: where the server is.
        route_table: a table, or several; their routes are copied. More may be added to ``routes``.
        serializer: for routes that name none; by default JsonSerializer(). Tables have their own.
        client_id, limits, backoff, default_timeout, handshake_timeout, drain_timeout: see SimpleClient.

    Attributes:
        routes: this client's own table: ``client.routes.handler("name")`` works at any time.

    Raises:
        RouteOverrideError: two tables have the same route.
        TypeError: an argument is of another kind; the message shows the right call.
    """

    def __init__(
        self,
        connector: Connector,
        route_table: Tables = None,
        *,
        client_id: str | None = None,
        serializer: Serializer | None = None,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        default_timeout: float | None = None,
        handshake_timeout: float | None = None,
        drain_timeout: float = 30.0,
    ) -> None:
        super().__init__(
            connector, client_id, limits, backoff, default_timeout, handshake_timeout, drain_timeout
        )
        self.routes = RouteTable.joined(route_table, serializer or JsonSerializer(), "Client")
        self._calls = RouteCalls(self.routes)
        self._handlers = self.routes.handlers
        self._missing = partial(no_such_route, self.routes, "Client")

    async def request(
        self, route: str, data: Any = None, *, serializer: Serializer | None = None,
        timeout: Timeout = "default", idempotent: bool = False, key: str | None = None
    ) -> Any:
        """Send a request to a route of the server and return its response.

        Args:
            route: the route's name.
            data: what the serializer takes.
            serializer: the route's; by default the one with which the route was registered or first called
                here, or else the client's. A route always uses one serializer.
            timeout, idempotent, key: as for SimpleClient.request.

        Raises:
            NoSuchRoute: the server has no such route; the message names the nearest ones.
            TypeError: the route uses another serializer.
            Exception: the others of SimpleClient.request, whose other promises hold, too.
        """
        name, codecs = self._calls.find(route, serializer)
        body = codecs.dump_request(data)
        channel = self._channel or self._refuse_call()
        timeout = self._seconds(timeout)
        return codecs.load_answer(await channel.request(name, body, timeout, idempotent, key))

    async def throw(
        self, route: str, data: Any = None, *, serializer: Serializer | None = None,
        timeout: Timeout = "default", key: str | None = None
    ) -> None:
        """Send a message to a route of the server without waiting for it to be handled (a notification).

        Arguments are those of ``request``, promises and exceptions those of SimpleClient.throw. A throw to
        a route that the server does not have is logged there.
        """
        name, codecs = self._calls.find(route, serializer)
        body = codecs.dump_request(data)
        channel = self._channel or self._refuse_call()
        timeout = self._seconds(timeout)
        if (unfinished := channel.throw(name, body, timeout, key)) is not None:
            await unfinished
