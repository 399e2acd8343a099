"""Links between processes that break under load."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from ....abc import Connector
from ....connectors import TcpConnector
from ...cutting_proxy import CuttingProxy
from ...faulty import FaultyConnector


@asynccontextmanager
async def cut_links(
    connector: Connector, cuts: int, cut_after: tuple[int, int]
) -> AsyncIterator[tuple[Connector, CuttingProxy | FaultyConnector]]:
    """Yield a connector like *connector* whose links break, and what breaks them.

    A proxy cuts TCP connections on their way; other links are cut at their end in this process.

    Args:
        connector: a client's.
        cuts: the number of links that break.
        cut_after: lowest and highest number of bytes after which a link breaks.
    """
    if isinstance(connector, TcpConnector) and connector.ssl is None:
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
