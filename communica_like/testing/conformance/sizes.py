"""Checks of bounded memory, and of large messages."""

from __future__ import annotations

import asyncio
import math
import time

from ...entities import RouteClient
from ...serializers import RawSerializer
from ...wire.limits import KIB, MIB, Limits
from .meeting import MakeMeeting, at_most, promised
from .processes.stage import Stage

_RAW = RawSerializer()
_LOW = Limits(window=256 * KIB, replay=64 * KIB, outbox=128 * KIB, chunk=16 * KIB)


@promised
async def check_bounded_memory(make: MakeMeeting) -> None:
    """A slow consumer makes the producer wait, and nothing is lost."""
    await _flood(Stage(make(None), _LOW, here=True), 1 * MIB, size=1_000)


@promised
async def check_slow_consumer(make: MakeMeeting) -> None:
    """A slow process makes the producer wait; its memory does not grow, and nothing is lost."""
    await _flood(Stage(make(None), _LOW, drain_timeout=60.0), 1 * MIB, size=2_000)


@promised
async def check_long_flood(make: MakeMeeting) -> None:
    """A slow process holds up 200 MiB of throws in bounded memory, with the default limits."""
    await _flood(Stage(make(None), Limits(), drain_timeout=60.0), 200 * MIB, size=20_000)


async def _flood(stage: Stage, total: int, size: int) -> None:
    # The most that may be under way: the consumer's window and the producer's outbox.
    most = stage.limits.window + stage.limits.outbox + stage.limits.replay
    count = total // size
    sent = 0
    async with stage:
        async with stage.client() as client:
            before = await client.request("memory")

            async def produce() -> None:
                nonlocal sent
                while sent < count:
                    await client.throw("held", ["thrown", sent, "x" * size])
                    sent += 1

            producing = asyncio.ensure_future(produce())
            last, quiet = -1, 0
            while quiet < 20:  # until it stops
                quiet = quiet + 1 if sent == last else 0
                last = sent
                await asyncio.sleep(0.01)
            assert not producing.done(), "the producer waits"
            assert sent * size < 1.5 * most, f"{sent * size} bytes are under way; the limits say {most}"
            assert not stage.entries("thrown")
            stage.open_gate()
            await at_most(30 + total / MIB, producing, "the producer goes on when the consumer does")
            grown = (await client.request("memory") - before) / MIB
            # Each waiting handler is a task, and freed memory need not go back to the system.
            allowed = 8 * most / MIB + 16
            assert grown < allowed, f"memory is bounded: {grown:.0f} MiB for limits of {most / MIB:.1f} MiB"
        await stage.stop()
        # Handlers that waited at the same time may end in any order.
        assert sorted(stage.entries("thrown")) == list(range(count)), "nothing is lost or doubled"


@promised
async def check_small_overtakes_big(make: MakeMeeting) -> None:
    """Small requests overtake large messages that are under way, in either direction."""
    await _ping_beside(Stage(make(None), here=True), 24 * MIB, pings=5)


@promised
async def check_small_overtakes_big_between_processes(make: MakeMeeting) -> None:
    """Small requests overtake large messages that are under way, in either direction."""
    await _ping_beside(Stage(make(None)), 16 * MIB, pings=5)


@promised
async def check_very_big(make: MakeMeeting) -> None:
    """Small requests do not wait for a message of 64 MiB, in either direction."""
    await _ping_beside(Stage(make(None)), 64 * MIB, pings=20)


async def _ping_beside(stage: Stage, size: int, pings: int) -> None:
    async with stage, stage.client() as client:
        for what, route, data, expected in (
            ("request", "take", bytes(size), str(size).encode()),
            ("answer", "give", str(size).encode(), bytes(size)),
        ):
            for _ in range(3):  # the machine may have been suspended
                big = asyncio.ensure_future(client.request(route, data, serializer=_RAW))
                slowest, took = await _ping(client, big, pings)
                assert big.result() == expected, "it arrives unaltered"
                if slowest < max(0.5 * took, 0.1):
                    break
            else:
                text = f"{slowest:.3f} s of {took:.3f} s"
                raise AssertionError(f"small requests overtake a large {what}: {text}")


async def _ping(client: RouteClient, big: asyncio.Future[bytes], pings: int) -> tuple[float, float]:
    """Make small requests beside a large one; return the seconds that the slowest and the large one took.

    A small one that ended after the large one counts as infinite.
    """
    began = time.monotonic()
    waits = []
    for number in range(pings):
        asked = time.monotonic()
        assert await at_most(20, client.request("echo", number), "small ones go on") == number
        waits.append(time.monotonic() - asked)
    overtaken = not big.done()
    await at_most(120, big, "the large message arrives")
    took = time.monotonic() - began
    return (max(waits) if overtaken else math.inf), took
