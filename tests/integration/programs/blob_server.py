"""A server for bytes. Argument: its URL. It takes them (``sink``), gives them (``source``), echoes them."""

from __future__ import annotations

import asyncio
import sys
from typing import Self

from communica_like import RouteServer, Serializer, connector_from


class Raw(Serializer):
    def dump(self, obj: bytes, /) -> bytes:
        return obj

    def load(self, data: bytes, /) -> bytes:
        return data


class Server(RouteServer):
    async def init(self, timeout: float | None = None) -> Self:
        await super().init(timeout)
        print("serving")
        return self


server = Server(connector_from(sys.argv[1]), serializer=Raw())
server.routes.add_route("sink", lambda data: b"")
server.routes.add_route("source", lambda data: bytes(int(data)))
server.routes.add_route("echo", lambda data: data)
asyncio.run(server.run())
