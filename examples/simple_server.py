"""Serve additions. Start this, then simple_client.py in another terminal. Ctrl-C stops it."""

import asyncio

from communica_like import LocalConnector, SimpleServer


def add(numbers: list[float]) -> float:
    return sum(numbers)


asyncio.run(SimpleServer(LocalConnector("adder"), add).run())
