"""Route names and serializers as the requesting side uses them."""

from __future__ import annotations

from ..abc import Serializer
from ..exceptions import ReqError
from .codecs import Codecs, check_serializer
from .routes import RouteTable, encode_route

__all__ = ["RouteCalls"]

_MOST = 10_000  # remembered routes; programs that make up names must not grow for ever


class _NoRoute(ReqError, ValueError):
    """Nobody can have a route of this name: what the other side would say of it is known beforehand."""


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
            if len(self._known) >= _MOST:
                self._known.clear()
            known = self._known[route] = name, Codecs(serializer or served or self._routes.serializer)
        elif serializer is not None and serializer != known[1].serializer:
            raise _mismatch(route, known[1].serializer, serializer)
        return known


def _mismatch(route: str, known: Serializer, given: Serializer) -> TypeError:
    check_serializer(given)
    return TypeError(f"a route always uses one serializer: {route!r} uses {known!r}, not {given!r}")
