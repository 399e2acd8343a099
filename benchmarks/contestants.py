"""Who takes part, and which share of the limit is the least that each must reach."""

from __future__ import annotations

import os
import shlex
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Final, cast
from urllib.parse import quote

from benchmarks.arena import Arena, Handler
from benchmarks.broker_address import BROKER
from benchmarks.handlers import Echo
from benchmarks.processors import SERVER

__all__ = ["AT_A_BROKER", "CONTESTANTS", "OVER_CONNECTORS", "OVER_SOCKETS", "Contestant"]


@dataclass(frozen=True, slots=True)
class Contestant:
    """One row of a table.

    Attributes:
        title: how the table calls it.
        module: its arena; imported only in its own processes.
        address: where its server is; in braces: ``path``, a path that nothing has, ``name``, the last part
            of it, ``port``, a free one, ``number``, one that is most likely free, ``command``, which starts
            the server, and ``broker``, the URL of one.
        handler: the method of Echo that its server serves.
        floors: for each workload that has one, the least share of the limit's rate.
        scale: of the usual number of messages, for one so much slower that it would take up the run.
        starts_server: whether the client starts the server.
        is_limit: whether the others of its table are measured against it.
    """

    title: str
    module: str = "benchmarks.library"
    address: str = "{path}"
    handler: str = "plain"
    floors: Mapping[str, float] = field(default_factory=dict)
    scale: float = 1.0
    starts_server: bool = False
    is_limit: bool = False

    def arena(self) -> Arena:
        """Import the module."""
        return cast(Arena, import_module(self.module))

    def new_handler(self) -> Handler:
        """Make the handler of one server."""
        return cast(Handler, getattr(Echo(), self.handler))

    def new_address(self, name: str, directory: str) -> str:
        """Make an address of its own for the contestant that is called *name*, in *directory*."""
        path = os.path.join(directory, name)
        command = [sys.executable, "-m", "benchmarks.stdio_server", name, str(SERVER)]
        return self.address.format(
            path=path,
            name=path.strip("/").replace("/", "-"),
            port=_free_port(),
            number=int.from_bytes(os.urandom(3)) + 2**24,
            command=quote(shlex.join(command)),
            broker=BROKER,
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def _floors(
    sequential: float, in_flight: float, throws: float, connections: float | None = None
) -> dict[str, float]:
    floors = {"sequential": sequential, "in_flight": in_flight, "throws": throws}
    return floors if connections is None else {**floors, "connections": connections}


_LOCAL: Final = "local://{path}"

_AT_BROKER: Final = "{broker}?address={name}"

CONTESTANTS: Final[dict[str, Contestant]] = {
    "limit": Contestant("raw limit", "benchmarks.limit", is_limit=True),
    "pieces": Contestant("raw limit, in pieces", "benchmarks.limit_in_pieces"),
    "session": Contestant("raw limit, in pieces, with session", "benchmarks.session_only"),
    "def": Contestant("communica_like def", address=_LOCAL, floors=_floors(0.80, 0.70, 0.50, 0.70)),
    "async": Contestant(
        "communica_like async def",
        address=_LOCAL,
        handler="never_suspending",
        floors=_floors(0.72, 0.50, 0.45, 0.55),
    ),
    "suspends": Contestant(
        "communica_like async def, suspends", address=_LOCAL, handler="suspending", scale=0.2
    ),
    "local": Contestant("Local", address=_LOCAL),
    "tcp": Contestant("TCP", address="tcp://127.0.0.1:{port}"),
    "posixmq": Contestant("PosixMQ", address="posixmq:///{name}", floors=_floors(0.70, 0.70, 0.50)),
    "sysv": Contestant("SysV", address="sysv://{number}", floors=_floors(0.60, 0.55, 0.50)),
    "fifo": Contestant("FIFO", address="fifo://{path}", floors=_floors(0.70, 0.70, 0.50)),
    "manager": Contestant("Manager", address="manager://{path}", scale=0.2),
    "stdio": Contestant(
        "Stdio", address="stdio://{command}", floors=_floors(0.70, 0.70, 0.50), starts_server=True
    ),
    "aiormq": Contestant(
        "aiormq by hand", "benchmarks.broker_by_hand", _AT_BROKER, scale=0.2, is_limit=True
    ),
    "sessions": Contestant(
        "communica_like, sessions", address=_AT_BROKER, floors=_floors(0.85, 12.0, 25.0)
    ),
    "shared": Contestant(
        "communica_like, shared inbox",
        "benchmarks.broker_inbox",
        _AT_BROKER,
        floors=_floors(0.85, 0.85, 0.85),
        scale=0.2,
    ),
    "quorum": Contestant(
        "aiormq by hand, quorum queue", "benchmarks.broker_by_hand_quorum", _AT_BROKER, scale=0.1
    ),
    "aio_pika": Contestant("aio-pika, RPC", "benchmarks.broker_aio_pika", _AT_BROKER, scale=0.1),
    "communica": Contestant("communica", "benchmarks.broker_communica", _AT_BROKER, scale=0.1),
}

OVER_SOCKETS: Final = ("limit", "pieces", "session", "def", "async", "suspends")
"""Those that ``python -m benchmarks`` measures, all over one kind of socket."""

OVER_CONNECTORS: Final = ("limit", "local", "tcp", "posixmq", "sysv", "fifo", "manager", "stdio")
"""Those that ``python -m benchmarks.connectors`` measures: the library, over everything."""

AT_A_BROKER: Final = ("aiormq", "sessions", "shared", "quorum", "aio_pika", "communica")
"""Those that ``python -m benchmarks.broker`` measures, all at one RabbitMQ broker."""
