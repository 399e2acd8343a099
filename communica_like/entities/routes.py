"""Route tables: handlers by exact name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..abc import Serializer
from ..exceptions import ReqError, RouteOverrideError
from ..serializers import JsonSerializer
from ..wire.frames import MAX_ROUTE
from .handling.handlers import Codecs, Handler, check_serializer

__all__ = ["RouteCalls", "RouteTable", "encode_route"]

F = TypeVar("F", bound=Callable[..., Any])


def encode_route(route: str) -> bytes:
    """Return a route's name as it goes on the wire.

    Raises:
        TypeError, ValueError: it is no text, empty, or over 65,535 bytes of UTF-8.
    """
    if not isinstance(route, str):
        raise TypeError(f"a route's name is text, not {route!r}")
    name = route.encode()
    if not 0 < len(name) <= MAX_ROUTE:
        raise ValueError(f"a route's name has 1 to {MAX_ROUTE} bytes; {route[:40]!r} has {len(name)}")
    return name


class RouteTable:
    """Handlers by name of route. Make one in each module; give them to a RouteServer or RouteClient.

    Args:
        name: for messages.
        serializer: for routes that name none; by default JsonSerializer().
    """

    def __init__(self, name: str | None = None, *, serializer: Serializer | None = None) -> None:
        self.name = name or "unnamed"
        self.serializer = serializer or JsonSerializer()
        self._handlers: dict[bytes, Handler] = {}

    def __repr__(self) -> str:
        return f"<RouteTable {self.name} with {len(self._handlers)} routes>"

    def __contains__(self, route: object) -> bool:
        return isinstance(route, str) and route.encode() in self._handlers

    def __iter__(self) -> Iterator[str]:
        return (route.decode() for route in self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    def handler(self, route: str, serializer: Serializer | None = None) -> Callable[[F], F]:
        """Register the decorated function, which stays as it is. Otherwise like ``add_route``."""

        def register(function: F) -> F:
            self.add_route(route, function, serializer)
            return function

        return register

    def add_route(
        self, route: str, handler: Callable[..., Any], serializer: Serializer | None = None
    ) -> None:
        """Register a handler. On a running entity it serves from now on.

        Args:
            route: 1 to 65,535 bytes of UTF-8, matched exactly.
            handler: takes the data, or the data and a Context.
            serializer: for this route, in both directions; by default the table's.

        Raises:
            RouteOverrideError: the route is registered.
            TypeError: the handler cannot be called so.
        """
        name = encode_route(route)
        if name in self._handlers:
            raise RouteOverrideError(
                f"route {route!r} is already served by {self._handlers[name].name} in table {self.name!r}"
            )
        self._handlers[name] = Handler(handler, serializer or self.serializer)

    def serializer_of(self, route: str) -> Serializer | None:
        """Return the serializer of a registered route, or None."""
        handler = self._handlers.get(route.encode())
        return handler.serializer if handler else None

    @property
    def handlers(self) -> dict[bytes, Handler]:
        """The table itself, by encoded name. Not to be changed."""
        return self._handlers

    @classmethod
    def joined(
        cls, tables: RouteTable | Iterable[RouteTable | None] | None, serializer: Serializer
    ) -> RouteTable:
        """Return a new table with the routes of all *tables*.

        Raises:
            RouteOverrideError: two of them have the same route.
        """
        result = cls("entity", serializer=serializer)
        several = [tables] if isinstance(tables, RouteTable) else tables or []
        for table in (table for table in several if table is not None):
            if not isinstance(table, RouteTable):
                raise TypeError(f"a RouteTable is expected, not {table!r}")
            for route, handler in table._handlers.items():
                if route in result._handlers:
                    raise RouteOverrideError(
                        f"route {route.decode()!r} of table {table.name!r} is already served "
                        f"by {result._handlers[route].name}"
                    )
                result._handlers[route] = handler
        return result


_MAX_KNOWN = 10_000  # routes; a program that makes up names must not grow without limit


class _NoRoute(ReqError, ValueError):
    """A name that no route can have, on any side."""


class RouteCalls:
    """Remembers which serializer each route uses: always one.

    Args:
        routes: a route that is served here uses its serializer for calls too.
    """

    def __init__(self, routes: RouteTable) -> None:
        self._routes = routes
        self._known: dict[str, tuple[bytes, Codecs]] = {}

    def find(self, route: str, serializer: Serializer | None) -> tuple[bytes, Codecs]:
        """Return the route's name for the wire, and its codecs.

        Raises:
            TypeError: the route uses another serializer, or its name is no text.
            ReqError: the name is empty or too long. This is a ValueError, too.
        """
        known = self._known.get(route)
        if known is None:
            try:
                name = encode_route(route)
            except ValueError as exc:
                raise _NoRoute(str(exc)) from None
            served = self._routes.serializer_of(route)
            if served is not None and serializer is not None and serializer != served:
                raise _mismatch(route, served, serializer)
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            known = self._known[route] = name, Codecs(serializer or served or self._routes.serializer)
        elif serializer is not None and serializer != known[1].serializer:
            raise _mismatch(route, known[1].serializer, serializer)
        return known


def _mismatch(route: str, known: Serializer, given: Serializer) -> TypeError:
    check_serializer(given)
    return TypeError(f"a route always uses one serializer: {route!r} uses {known!r}, not {given!r}")
