"""Blocking servers: SimpleServer and RouteServer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import entities
from ...abc import Connector, Serializer
from ...entities import RouteTable
from ...entities.backends import DuplicatePolicy
from ...entities.routes import Tables
from ...wire.limits import Limits
from ..facade import awaited
from ..handler_threads import WorkerRoutes, Workers
from ..portal.portal import Portal
from .base import WORKERS, BlockingServer


class SimpleServer(BlockingServer[entities.SimpleServer]):
    """A blocking server with one handler, for SimpleClients. ``SimpleServer(connector, handler).run()``

    A ``def`` handler runs in a worker thread.

    Args:
        workers: how many handlers run at a time.
        portal: whose loop it lives on; None: the one that all share.
        connector, and the others: as for the async SimpleServer.
    """

    def __init__(
        self, connector: Connector, handler: Callable[..., Any] | None = None,
        serializer: Serializer | None = None, *, limits: Limits | None = None,
        duplicate_clients: DuplicatePolicy = "refuse", default_timeout: float | None = None,
        handshake_timeout: float = 5.0, drain_timeout: float = 30.0, workers: int = WORKERS,
        portal: Portal | None = None,
    ) -> None:
        threads = Workers(workers)
        core = entities.SimpleServer(
            connector, threads.wrap(handler), serializer, limits=limits, duplicate_clients=duplicate_clients,
            default_timeout=default_timeout, handshake_timeout=handshake_timeout, drain_timeout=drain_timeout,
        )
        super().__init__(core, threads, portal)

    request = awaited(entities.SimpleServer.request)
    throw = awaited(entities.SimpleServer.throw)


class RouteServer(BlockingServer[entities.RouteServer]):
    """A blocking server with handlers by route, for RouteClients. ``RouteServer(connector, table).run()``

    ``def`` handlers run in worker threads.

    Args:
        workers: how many handlers run at a time.
        portal: whose loop it lives on; None: the one that all share.
        connector, and the others: as for the async RouteServer.

    Attributes:
        routes: this server's own table.
    """

    def __init__(
        self, connector: Connector, route_table: Tables = None, *, serializer: Serializer | None = None,
        limits: Limits | None = None, duplicate_clients: DuplicatePolicy = "refuse",
        default_timeout: float | None = None, handshake_timeout: float = 5.0, drain_timeout: float = 30.0,
        workers: int = WORKERS, portal: Portal | None = None,
    ) -> None:
        threads = Workers(workers)
        core = entities.RouteServer(
            connector, threads.wrap_tables(route_table), serializer=serializer, limits=limits,
            duplicate_clients=duplicate_clients, default_timeout=default_timeout,
            handshake_timeout=handshake_timeout, drain_timeout=drain_timeout,
        )
        super().__init__(core, threads, portal)
        self.routes: RouteTable = WorkerRoutes(core.routes, threads)

    request = awaited(entities.RouteServer.request)
    throw = awaited(entities.RouteServer.throw)
