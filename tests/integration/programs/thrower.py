"""Throws numbers at a server. Arguments: the URL, how many, the bytes of each, and limits as JSON.

It prints ``throwing`` first, ``at N`` for each hundredth part, and ``done`` when ``async with`` is left.
"""

from __future__ import annotations

import asyncio
import json
import sys

from communica_like import Limits, RouteClient, connector_from


async def main(url: str, count: int, size: int, limits: Limits) -> None:
    padding = "x" * size
    async with RouteClient(connector_from(url), limits=limits) as client:
        print("throwing")
        for number in range(count):
            await client.throw("count", [number, padding] if size else number)
            if number % (count // 100) == 0:
                print(f"at {number}")
    print("done")


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Limits(**json.loads(sys.argv[4]))))
