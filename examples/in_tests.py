"""Test your own code with both sides in one event loop, without files, ports or processes."""

import unittest

from communica_like import MemoryConnector, RespError, RouteClient, RouteServer


async def price_with_tax(client: RouteClient, item: str) -> float:
    """Return the price with tax, or 0 if the service fails. This is the code under test."""
    try:
        net: float = await client.request("price", item, timeout=1)
    except RespError:
        return 0.0
    return round(net * 1.2, 2)


class PriceTest(unittest.IsolatedAsyncioTestCase):
    async def asyncSetUp(self) -> None:
        connector = MemoryConnector()  # each one has a unique name, so tests stay separate
        self.service = RouteServer(connector)
        await self.service.init()
        self.addAsyncCleanup(self.service.close)
        self.client = RouteClient(connector)
        await self.client.init()
        self.addAsyncCleanup(self.client.close)

    async def test_adds_the_tax(self) -> None:
        asked = []

        @self.service.routes.handler("price")
        def price(item: str) -> float:
            asked.append(item)
            return 10.0

        assert await price_with_tax(self.client, "apple") == 12.0
        assert asked == ["apple"]

    async def test_costs_nothing_while_the_service_is_out_of_order(self) -> None:
        @self.service.routes.handler("price")
        def price(item: str) -> float:
            raise RespError("out of order")

        assert await price_with_tax(self.client, "apple") == 0.0


if __name__ == "__main__":
    unittest.main()
