"""Links between processes that break under load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ....abc import Connector
from ....connectors import TcpConnector
from ...cutting_proxy import CuttingProxy
from ...faulty import FaultyConnector
from .stage import Stage


@asynccontextmanager
async def cut_links(
    stage: Stage, cuts: int, cut_after: tuple[int, int]
) -> AsyncIterator[tuple[Connector, CuttingProxy | FaultyConnector]]:
    """Yield a connector of the stage's clients whose links break, and what breaks them.

    A proxy cuts TCP connections between processes; other links are cut at their end in this process.

    Args:
        stage: has the server.
        cuts: the number of links that break.
        cut_after: lowest and highest number of bytes after which a link breaks.
    """
    connector = stage.connector()
    if isinstance(connector, TcpConnector) and connector.ssl is None and not stage.here:
        target = (connector.host, connector.port)
        async with CuttingProxy(target, seed=3, cut_after=cut_after) as proxy:
            proxy.max_cuts = cuts
            assert isinstance(proxy.address, tuple)
            host, port = proxy.address
            yield replace(connector, host=host, port=port), proxy
    else:
        faulty = FaultyConnector(connector, seed=3, cut_after=cut_after)
        faulty.max_cuts = cuts
        yield faulty, faulty
