"""Route tables: handlers by exact name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final, TypeVar, overload

from ..abc import Serializer
from ..arguments import check_kind
from ..exceptions import RouteOverrideError
from ..serializers import JsonSerializer
from ..wire.failure import NO_ROUTE, Failure
from ..wire.frames import MAX_ROUTE
from .handling.handlers import Codecs, Handler, check_serializer

F = TypeVar("F", bound=Callable[..., Any])

_MAX_KNOWN = 10_000  # routes; a program that makes up names must not grow without limit
# Bounds for comparing names, which takes the event loop's time, and for messages.
_MOST_COMPARED = 200
_LONGEST_SHOWN = 60

OTHER_SIDE: Final = {"Server": "Client", "Client": "Server"}


def encode_route(route: str) -> bytes:
    """Return a route's name as it goes on the wire.

    Raises:
        TypeError: it is not a str.
        ValueError: it is empty, over 65,535 bytes of UTF-8, or holds surrogates.
    """
    if not isinstance(route, str):
        raise TypeError(f"a route's name is a str, not {route!r}")
    name = route.encode()
    if not 0 < len(name) <= MAX_ROUTE:
        raise ValueError(f"a route's name has 1 to {MAX_ROUTE} bytes; {route[:40]!r} has {len(name)}")
    return name


class RouteTable:
    """Handlers by name of route. Make one in each module; give them to a RouteServer or RouteClient.

    Args:
        name: for messages.
        serializer: for routes that name none; by default JsonSerializer().

    Attributes:
        handlers: the table itself, by encoded name. Read only.
    """

    def __init__(self, name: str | None = None, *, serializer: Serializer | None = None) -> None:
        check_kind(name, str | None, "a RouteTable's name is a str", "RouteTable('name', serializer=...)")
        self.name = name or "unnamed"
        self.serializer = serializer or JsonSerializer()
        check_serializer(self.serializer)
        self.handlers: dict[bytes, Handler] = {}

    def __repr__(self) -> str:
        return f"<RouteTable {self.name} with {len(self.handlers)} routes>"

    def __contains__(self, route: object) -> bool:
        return isinstance(route, str) and route.encode() in self.handlers

    def __iter__(self) -> Iterator[str]:
        return (route.decode() for route in self.handlers)

    def __len__(self) -> int:
        return len(self.handlers)

    @overload
    def handler(self, function: F, /) -> F: ...
    @overload
    def handler(self, route: str | None = None, serializer: Serializer | None = None) -> Callable[[F], F]: ...
    def handler(self, route: Any = None, serializer: Serializer | None = None) -> Any:
        """Register the decorated function, which stays as it is. Otherwise like ``add_route``.

        ``@table.handler("name")``; or ``@table.handler`` or ``@table.handler()``, which take the
        function's name.

        Raises:
            RouteOverrideError, TypeError: see ``add_route``. Also TypeError: the function has no name.
        """
        if callable(route):
            self.add_route(_route_of(route), route, serializer)
            return route
        if route is not None:
            encode_route(route)

        def register(function: F) -> F:
            self.add_route(_route_of(function) if route is None else route, function, serializer)
            return function

        return register

    def add_route(
        self, route: str, handler: Callable[..., Any], serializer: Serializer | None = None
    ) -> None:
        """Register a handler. A running entity serves it from now on.

        Args:
            route: 1 to 65,535 bytes of UTF-8, matched exactly.
            handler: takes no argument, the data, or the data and a Context.
            serializer: for this route, in both directions; by default the table's.

        Raises:
            RouteOverrideError: the route is registered.
            TypeError: the route is not text, or the handler takes other arguments.
        """
        name = encode_route(route)
        if name in self.handlers:
            raise RouteOverrideError(
                f"route {route!r} is already served by {self.handlers[name].name} in table {self.name!r}"
            )
        self.handlers[name] = Handler(handler, serializer or self.serializer)

    def serializer_of(self, route: str) -> Serializer | None:
        """Return the serializer of a registered route, or None."""
        handler = self.handlers.get(route.encode())
        return handler.serializer if handler else None

    @classmethod
    def joined(cls, tables: Tables, serializer: Serializer, side: str = "Server") -> RouteTable:
        """Return a new table with the routes of all *tables*.

        Args:
            side: ``"Server"`` or ``"Client"``: what the tables were given to, for messages.

        Raises:
            RouteOverrideError: two of them have the same route.
            TypeError: one of them is not a table.
        """
        result = cls("entity", serializer=serializer)
        for table in each_table(tables):
            if not isinstance(table, RouteTable):
                raise TypeError(_no_table(table, side))
            for route, handler in table.handlers.items():
                if route in result.handlers:
                    raise RouteOverrideError(
                        f"route {route.decode()!r} of table {table.name!r} is already served "
                        f"by {result.handlers[route].name}"
                    )
                result.handlers[route] = handler
        return result


Tables = RouteTable | Iterable[RouteTable | None] | None


def each_table(tables: Tables) -> list[Any]:
    """Return a list of what was given as tables, without None."""
    if isinstance(tables, RouteTable | str) or not isinstance(tables, Iterable):
        tables = [tables]
    return [table for table in tables if table is not None]


def _no_table(given: object, side: str) -> str:
    call = f"Route{side}(connector, table)"
    if callable(given):
        call += f"; with one handler: Simple{side}(connector, handler)"
    elif isinstance(given, str) and side == "Client":
        call += f"; with an id: RouteClient(connector, client_id={given!r})"
    return f"a RouteTable is expected, not {given!r}: {call}"


def _route_of(function: object) -> str:
    """Return a function's name, as its route."""
    if not callable(function):
        raise TypeError(f"a handler is callable; {function!r} is not")
    name = getattr(function, "__name__", "")
    if not isinstance(name, str) or not name.isidentifier():
        raise TypeError(f"{function!r} has no name: give its route one, as in table.handler('name')")
    return name


def no_such_route(table: RouteTable, side: str, route: str) -> Failure:
    """Return the failure of a request for a route that is not in *table*. It names the nearest ones.

    Args:
        side: ``"Server"`` or ``"Client"``: which side has the table.
    """
    if not route:
        text = f"the other side is a Route{side}, and the call names no route: call it with a Route"
        return Failure(NO_ROUTE, text + OTHER_SIDE[side], 404)
    text = f"the other side has no route {shorten(route)}"
    names = _nearest(route, tuple(islice(table, _MOST_COMPARED)))
    if names:
        text += f"; the nearest {'is' if len(names) == 1 else 'are'} {', '.join(map(repr, names))}"
    return Failure(NO_ROUTE, text, 404)


def shorten(route: str) -> str:
    """Return a route's name in quotes, cut to a length that fits a message."""
    return repr(route if len(route) <= _LONGEST_SHOWN else f"{route[:_LONGEST_SHOWN]}...")


@lru_cache(16)  # a client that is wrong about a route is so again and again
def _nearest(route: str, names: tuple[str, ...]) -> list[str]:
    if len(route) > _LONGEST_SHOWN:
        return []
    from difflib import get_close_matches  # not at the top: for mistakes only

    return get_close_matches(route, [name for name in names if len(name) <= _LONGEST_SHOWN])


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
            ValueError: the name is empty or too long.
        """
        known = self._known.get(route) if isinstance(route, str) else None
        if known is None:
            name = encode_route(route)
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
