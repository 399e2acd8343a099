"""Blocking clients: SimpleClient and RouteClient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import entities
from ...abc import Connector, Serializer
from ...entities import Backoff, RouteTable
from ...entities.routes import Tables
from ...wire.limits import Limits
from ..facade import awaited
from ..handler_threads import WorkerRoutes, Workers
from ..portal.portal import Portal
from .base import WORKERS, BlockingClient


class SimpleClient(BlockingClient[entities.SimpleClient]):
    """A blocking client with at most one handler, for a SimpleServer: ``with SimpleClient(connector) as c:``

    A ``def`` handler runs in a worker thread.

    Args:
        workers: how many handlers run at a time.
        portal: whose loop it lives on; None: the one that all share.
        connector, and the others: as for the async SimpleClient.
    """

    def __init__(
        self, connector: Connector, handler: Callable[..., Any] | None = None,
        serializer: Serializer | None = None, *, client_id: str | None = None, limits: Limits | None = None,
        backoff: Backoff | None = None, default_timeout: float | None = None,
        handshake_timeout: float | None = None, drain_timeout: float = 30.0, workers: int = WORKERS,
        portal: Portal | None = None,
    ) -> None:
        threads = Workers(workers)
        core = entities.SimpleClient(
            connector, threads.wrap(handler), serializer, client_id=client_id, limits=limits,
            backoff=backoff, default_timeout=default_timeout, handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        super().__init__(core, threads, portal)

    request = awaited(entities.SimpleClient.request)
    throw = awaited(entities.SimpleClient.throw)


class RouteClient(BlockingClient[entities.RouteClient]):
    """A blocking client with handlers by route, for a RouteServer. ``with RouteClient(connector) as client:``

    ``def`` handlers run in worker threads.

    Args:
        workers: how many handlers run at a time.
        portal: whose loop it lives on; None: the one that all share.
        connector, and the others: as for the async RouteClient.

    Attributes:
        routes: this client's own table.
    """

    def __init__(
        self, connector: Connector, route_table: Tables = None, *, client_id: str | None = None,
        serializer: Serializer | None = None, limits: Limits | None = None, backoff: Backoff | None = None,
        default_timeout: float | None = None, handshake_timeout: float | None = None,
        drain_timeout: float = 30.0, workers: int = WORKERS, portal: Portal | None = None,
    ) -> None:
        threads = Workers(workers)
        core = entities.RouteClient(
            connector, threads.wrap_tables(route_table), client_id=client_id, serializer=serializer,
            limits=limits, backoff=backoff, default_timeout=default_timeout,
            handshake_timeout=handshake_timeout, drain_timeout=drain_timeout,
        )
        super().__init__(core, threads, portal)
        self.routes: RouteTable = WorkerRoutes(core.routes, threads)

    request = awaited(entities.RouteClient.request)
    throw = awaited(entities.RouteClient.throw)
