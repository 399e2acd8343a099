"""Blocking clients: SimpleClient and RouteClient."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ... import entities
from ...abc import Connector, Serializer
from ...entities import Backoff, RouteTable
from ...wire.limits import Limits
from ..facade import awaited
from ..handler_threads import WorkerRoutes, Workers
from ..portal.portal import Portal
from .base import WORKERS, BlockingClient

__all__ = ["RouteClient", "SimpleClient"]


class SimpleClient(BlockingClient[entities.SimpleClient]):
    """A blocking client with at most one handler, for a SimpleServer: ``with SimpleClient(connector) as c:``

    Args:
        connector, handler, serializer, client_id, limits, backoff, handshake_timeout, drain_timeout:
            as for the async SimpleClient. A ``def`` handler runs in a worker thread.
        workers: how many handlers run at a time.
        portal: whose loop it lives on; None: the one that all share.
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
        workers: int = WORKERS,
        portal: Portal | None = None,
    ) -> None:
        threads = Workers(workers)
        core = entities.SimpleClient(
            connector,
            threads.wrap(handler) if handler is not None else None,
            serializer,
            client_id,
            limits=limits,
            backoff=backoff,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        super().__init__(core, threads, portal)

    request = awaited(entities.SimpleClient.request)
    throw = awaited(entities.SimpleClient.throw)


class RouteClient(BlockingClient[entities.RouteClient]):
    """A blocking client with handlers by route, for a RouteServer. ``with RouteClient(connector) as client:``

    Args:
        connector, client_id, route_table, serializer, limits, backoff, handshake_timeout, drain_timeout:
            as for the async RouteClient. ``def`` handlers run in worker threads.
        workers: how many handlers run at a time.
        portal: whose loop it lives on; None: the one that all share.

    Attributes:
        routes: this client's own table.
    """

    def __init__(
        self,
        connector: Connector,
        client_id: str | None = None,
        route_table: RouteTable | Iterable[RouteTable | None] | None = None,
        *,
        serializer: Serializer | None = None,
        limits: Limits | None = None,
        backoff: Backoff | None = None,
        handshake_timeout: float | None = None,
        drain_timeout: float = 30.0,
        workers: int = WORKERS,
        portal: Portal | None = None,
    ) -> None:
        threads = Workers(workers)
        core = entities.RouteClient(
            connector,
            client_id,
            threads.wrap_tables(route_table),
            serializer=serializer,
            limits=limits,
            backoff=backoff,
            handshake_timeout=handshake_timeout,
            drain_timeout=drain_timeout,
        )
        super().__init__(core, threads, portal)
        self.routes: RouteTable = WorkerRoutes(core.routes, threads)

    request = awaited(entities.RouteClient.request)
    throw = awaited(entities.RouteClient.throw)
