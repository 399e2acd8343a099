"""RouteServer and RouteClient: handlers by exact route name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..abc import Connector, Serializer
from ..serializers import JsonSerializer
from ..wire.failure import Failure
from ..wire.limits import Limits
from .backends import DuplicatePolicy
from .backoff import Backoff
from .client import Client
from .entity import Timeout
from .handling.handlers import Handler
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
            connector,
            limits=limits,
            duplicate_clients=duplicate_clients,
            default_timeout=default_timeout,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        self.routes = RouteTable.joined(route_table, serializer or JsonSerializer(), "Server")
        self._calls = RouteCalls(self.routes)

    async def request(
        self,
        route: str,
        data: Any = None,
        *,
        serializer: Serializer | None = None,
        client_id: str | None = None,
        timeout: Timeout = "default",
        idempotent: bool = False,
    ) -> Any:
        """Send a request to a route of a client and return its response.

        Args:
            route: the route's name.
            data: what the serializer takes.
            serializer: the route's; by default the one with which the route is registered here, or else
                the server's. A route always uses one serializer.
            client_id, timeout, idempotent: as for SimpleServer.request.

        Raises:
            NoSuchRoute: the client has no such route; the message names the nearest ones.
            TypeError: the route uses another serializer.
            Exception: the others of SimpleServer.request.

        Cancellation and order are those of SimpleServer.request.
        """
        name, codecs = self._calls.find(route, serializer)
        response = await self._request(name, codecs.dump_request(data), client_id, timeout, idempotent)
        return codecs.load_answer(response)

    async def throw(
        self,
        route: str,
        data: Any = None,
        *,
        serializer: Serializer | None = None,
        client_id: str | None = None,
        timeout: Timeout = "default",
    ) -> None:
        """Send a message to a route of a client without waiting for it to be handled (a notification).

        Args:
            route, data, serializer, client_id: as for ``request``.
            timeout: as for SimpleServer.throw.

        Promises and exceptions are those of SimpleServer.throw. A throw to a route that the client does
        not have is logged there.
        """
        name, codecs = self._calls.find(route, serializer)
        await self._throw(name, codecs.dump_request(data), client_id, timeout)

    def _handlers(self) -> Mapping[bytes, Handler]:
        return self.routes.handlers

    def _missing(self, route: str) -> Failure:
        return no_such_route(route, self.routes, "Server", "Client")


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
            connector,
            client_id=client_id,
            limits=limits,
            backoff=backoff,
            default_timeout=default_timeout,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        self.routes = RouteTable.joined(route_table, serializer or JsonSerializer(), "Client")
        self._calls = RouteCalls(self.routes)

    async def request(
        self,
        route: str,
        data: Any = None,
        *,
        serializer: Serializer | None = None,
        timeout: Timeout = "default",
        idempotent: bool = False,
        key: str | None = None,
    ) -> Any:
        """Send a request to a route of the server and return its response.

        Args:
            route: the route's name.
            data: what the serializer takes.
            serializer: the route's; by default the one with which the route is registered here, or else
                the client's. A route always uses one serializer.
            timeout, idempotent, key: as for SimpleClient.request.

        Raises:
            NoSuchRoute: the server has no such route; the message names the nearest ones.
            TypeError: the route uses another serializer.
            Exception: the others of SimpleClient.request.

        Cancellation and order are those of SimpleClient.request.
        """
        name, codecs = self._calls.find(route, serializer)
        response = await self._request(name, codecs.dump_request(data), timeout, idempotent, key)
        return codecs.load_answer(response)

    async def throw(
        self,
        route: str,
        data: Any = None,
        *,
        serializer: Serializer | None = None,
        timeout: Timeout = "default",
        key: str | None = None,
    ) -> None:
        """Send a message to a route of the server without waiting for it to be handled (a notification).

        Args:
            route, data, serializer: as for ``request``.
            timeout, key: as for SimpleClient.throw.

        Promises and exceptions are those of SimpleClient.throw. A throw to a route that the server does
        not have is logged there.
        """
        name, codecs = self._calls.find(route, serializer)
        if (unfinished := self._throw(name, codecs.dump_request(data), timeout, key)) is not None:
            await unfinished

    def _handlers(self) -> Mapping[bytes, Handler]:
        return self.routes.handlers

    def _missing(self, route: str) -> Failure:
        return no_such_route(route, self.routes, "Client", "Server")
