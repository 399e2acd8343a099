"""A client whose link broke asks its connector for the same server again; one without a session does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Self

from communica_like import (
    Connector,
    Link,
    LinkReceiver,
    Listener,
    MemoryConnector,
    SimpleClient,
    SimpleServer,
)
from communica_like.exceptions import LinkRefused
from communica_like.testing import FaultyConnector


class Noting(Connector):
    """Notes how it is asked for links."""

    scheme: ClassVar[str] = "noting"

    def __init__(self) -> None:
        self.inner = MemoryConnector()
        self.authkey = None
        self.given: list[Link] = []
        self.asked: list[tuple[str, Link | None]] = []
        self.gone = False

    async def connect(self, receiver: LinkReceiver) -> Link:
        self.asked.append(("connect", None))
        self.given.append(await self.inner.connect(receiver))
        return self.given[-1]

    async def connect_again(self, receiver: LinkReceiver, broken: Link) -> Link:
        self.asked.append(("connect_again", broken))
        if self.gone:
            raise LinkRefused("that server is gone")
        self.given.append(await self.inner.connect(receiver))
        return self.given[-1]

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await self.inner.listen(accept)

    def dump_state(self) -> str:
        return self.inner.dump_state()

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        raise ValueError(text)


async def asked(connector: Noting, count: int) -> None:
    async with asyncio.timeout(40):
        while len(connector.asked) < count:
            await asyncio.sleep(0.001)


async def test_it_is_told_which_link_broke() -> None:
    connector = Noting()
    async with SimpleServer(connector, str), SimpleClient(connector) as client:
        assert connector.asked == [("connect", None)]
        connector.given[0].abort()
        await asked(connector, 2)
        assert await client.request(1) == "1"
        connector.given[1].abort()
        await asked(connector, 3)
        assert await client.request(2) == "2"
        first, second = connector.given[:2]
        assert connector.asked[1:] == [("connect_again", first), ("connect_again", second)]


async def test_when_that_server_is_gone_any_will_do() -> None:
    connector = Noting()
    async with SimpleServer(connector, str), SimpleClient(connector) as client:
        connector.gone = True
        connector.given[0].abort()
        await asked(connector, 3)
        assert [how for how, _ in connector.asked] == ["connect", "connect_again", "connect"]
        assert await client.request(1) == "1"


async def test_through_a_connector_that_breaks_links() -> None:
    connector = Noting()
    faulty = FaultyConnector(connector, cut_after=(10**9, 10**9))
    async with SimpleServer(connector, str), SimpleClient(faulty) as client:
        faulty.cut()
        await asked(connector, 2)
        assert await client.request(1) == "1"
        assert connector.asked[1] == ("connect_again", connector.given[0])
