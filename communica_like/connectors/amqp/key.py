"""BrokerKey: which broker to connect to, and as which user."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Final

from .url import BrokerUrl

logger = logging.getLogger("communica_like")

_PROBE_TIMEOUT: Final = 2.0  # seconds for a node to answer, if there are others


@dataclass(frozen=True, slots=True)
class BrokerKey:
    """The identity of a connection: users with equal keys share one.

    Attributes:
        url: the broker.
        password: the user's; None: the broker's default.
        ssl: for amqps; None: as the URL's options say.
        name: what the broker calls the connection.
        exchange: carries all messages; empty: one that every broker has.
        others: other nodes of the cluster, for when the first cannot be reached.
    """

    url: BrokerUrl
    password: str | None = field(repr=False)
    ssl: SSLContext | None
    name: str
    exchange: str
    others: tuple[BrokerUrl, ...] = ()

    async def find_node(self) -> BrokerUrl:
        """Return the first node that answers as a broker does, or the last one."""
        *urls, last = self.url, *self.others
        for url in urls:
            try:
                async with asyncio.timeout(_PROBE_TIMEOUT):
                    reader, writer = await asyncio.open_connection(url.host, url.port)
                    with contextlib.closing(writer.transport):
                        if url.scheme == "amqps":
                            return url
                        writer.write(b"AMQP\x00\x00\x09\x01")
                        if await reader.read(1):  # a node that is starting only accepts connections
                            return url
            except OSError as exc:  # TimeoutError is one
                logger.info("no broker at %s: %s", url.place, exc or "no answer")
        return last
