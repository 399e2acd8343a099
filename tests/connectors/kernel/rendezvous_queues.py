"""The rendezvous queues of kernel media, as any program of this user can open them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from communica_like.abc import AsyncQueue, Connector
from communica_like.connectors import FifoConnector, PosixMQConnector, SysVConnector
from communica_like.connectors.kernel.rendezvous import LARGEST_REQUEST
from communica_like.queues import PipeQueue, PosixMQ, SysVMQ
from communica_like.serializers import RawSerializer
from tests.connectors.recorder import Recorder

__all__ = ["foreign", "rendezvous_queue", "works"]


def rendezvous_queue(connector: Connector, create: bool = False) -> AsyncQueue:
    """Open the server's queue, or create a queue of its name."""
    raw = RawSerializer()
    if isinstance(connector, PosixMQConnector):
        return PosixMQ(connector.name, 10, LARGEST_REQUEST, raw, create=create)
    if isinstance(connector, SysVConnector):
        return SysVMQ(connector.key, serializer=raw, create=create)
    assert isinstance(connector, FifoConnector)
    return PipeQueue(connector.path, serializer=raw, create=create)


@contextlib.contextmanager
def foreign(connector: Connector) -> Iterator[AsyncQueue]:
    """Create a queue of the name that a server's would have."""
    made: Any = rendezvous_queue(connector, create=True)
    try:
        yield made
    finally:
        made.unlink()
        made.close()


async def works(connector: Connector, served: Any) -> None:
    """Check that a client can connect and is heard."""
    number = len(served.links)
    link = await connector.connect(near := Recorder())
    link.send(b"hello")
    _, far = await served.link(number)
    assert await far.until(5) == b"hello"
    link.abort()
    await near.until_broken()
