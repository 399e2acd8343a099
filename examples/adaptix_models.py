"""Dataclasses instead of dicts, checked on both sides. Needs: pip install '.[adaptix]'."""

import asyncio
from dataclasses import dataclass

from communica_like import MemoryConnector, RouteClient, RouteServer, SerializerError
from communica_like.serializers import AdaptixSerializer


@dataclass
class Order:
    item: str
    count: int
    price: float


@dataclass
class Receipt:
    text: str
    total: float


async def buy(order: Order) -> Receipt:
    return Receipt(f"{order.count} x {order.item}", order.count * order.price)


async def main() -> None:
    serializer = AdaptixSerializer.of(buy)  # requests are Orders, answers are Receipts
    connector = MemoryConnector()
    server = RouteServer(connector)
    server.routes.add_route("buy", buy, serializer)
    async with server, RouteClient(connector) as client:
        print(await client.request("buy", Order("apple", 3, 0.5), serializer=serializer))
        wrong: object = {"item": "apple"}
        try:
            await client.request("buy", wrong)
        except SerializerError as error:
            print("not sent:", error.message)


if __name__ == "__main__":
    asyncio.run(main())
