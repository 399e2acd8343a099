"""Checks of delivery: exactly once, in order, in bounded memory."""

from __future__ import annotations

import asyncio

from ...entities import Backoff, SimpleClient, SimpleServer
from ...wire.limits import KIB, Limits
from ..faulty import FaultyConnector
from .meeting import QUICK, MakeMeeting, at_most, promised, reaches

_IMPATIENT = Backoff(initial=0.001, maximum=0.01)


@promised
async def check_exactly_once_in_order(make: MakeMeeting) -> None:
    """However often links break, each throw arrives once and in order, both ways, and each request is
    handled once and answered. Where a session ends with its link, none breaks here.
    """
    count, cuts = 1_500, 25
    at_server: list[int] = []
    at_client: list[int] = []
    handled: list[int] = []

    async def serve(number: int) -> int:
        if number < 0:
            at_server.append(-number)
            return 0
        handled.append(number)
        if number % 3 == 0:
            await asyncio.sleep(0)
        return number + 1

    meeting = make(None)
    async with SimpleServer(meeting.server, serve, limits=QUICK) as server:
        faulty = FaultyConnector(meeting.client(server.address), seed=1, cut_after=(300, 6_000))
        faulty.max_cuts = cuts if meeting.server.guarantees.resumes else 0
        async with SimpleClient(faulty, at_client.append, limits=QUICK, backoff=_IMPATIENT) as client:

            async def ask(number: int) -> None:
                assert await client.request(number) == number + 1

            async def throw_from_client() -> None:
                for number in range(1, count + 1):
                    await client.throw(-number)
                    if number % 20 == 0:
                        await asyncio.gather(*map(ask, range(number, number + 10)))

            async def throw_from_server() -> None:
                for number in range(1, count + 1):
                    await server.throw(number, client_id=client.client_id)
                    if number % 20 == 0:
                        await asyncio.sleep(0)

            both = asyncio.gather(throw_from_client(), throw_from_server())
            await at_most(50, both, "all is sent")
            await reaches(lambda: len(at_client) >= count, "all throws arrive")
    numbers = list(range(1, count + 1))
    assert at_server == numbers, "throws to the server arrive once and in order"
    assert at_client == numbers, "throws to the client arrive once and in order"
    assert len(handled) == len(set(handled)), "each request is handled once"
    assert faulty.cuts == faulty.max_cuts, f"{faulty.cuts} cuts"


@promised
async def check_throw_keeps_its_word(make: MakeMeeting) -> None:
    """Leaving ``async with`` delivers everything that was thrown, in order, also over links that break."""
    count = 3_000
    for cutting in (False, True):
        got: list[int] = []
        meeting = make(None)
        async with SimpleServer(meeting.server, got.append, limits=QUICK) as server:
            faulty = FaultyConnector(meeting.client(server.address), seed=2, cut_after=(2_000, 20_000))
            faulty.cutting = cutting
            faulty.max_cuts = 5 if meeting.server.guarantees.resumes else 0
            async with SimpleClient(faulty, limits=QUICK, backoff=_IMPATIENT) as client:
                for number in range(count):
                    await client.throw(number)
            assert got == list(range(count)), f"{len(got)} of {count} throws were delivered"


@promised
async def check_bounded_memory(make: MakeMeeting) -> None:
    """A slow consumer makes the producer wait, and nothing is lost."""
    limits = Limits(window=256 * KIB, replay=64 * KIB, outbox=128 * KIB, chunk=16 * KIB)
    # The most that may be under way: the consumer's window and the producer's outbox.
    most = limits.window + limits.outbox + limits.replay
    size = 1_000
    got: list[int] = []
    gate = asyncio.Event()
    sent = 0

    async def handle(data: list[object]) -> None:
        await gate.wait()
        assert isinstance(data[0], int)
        got.append(data[0])

    meeting = make(None)
    async with SimpleServer(meeting.server, handle, limits=limits) as server:
        async with SimpleClient(meeting.client(server.address), limits=limits) as client:

            async def produce() -> None:
                nonlocal sent
                while sent < 2 * most // size:
                    await client.throw([sent, "x" * size])
                    sent += 1

            producing = asyncio.ensure_future(produce())
            before, quiet = -1, 0
            while quiet < 20:  # until it stands still
                quiet = quiet + 1 if sent == before else 0
                before = sent
                await asyncio.sleep(0.01)
            assert not producing.done(), "the producer waits"
            assert sent * size < 1.5 * most, f"{sent * size} bytes are under way; the limits say {most}"
            assert not got
            gate.set()
            await at_most(30, producing, "the producer goes on when the consumer does")
    assert got == list(range(sent)), "nothing is lost"
