"""Clients keep their promises, wherever their calls are cancelled, and whenever they are killed.

Readers and writers call one host, which runs in its thread. Calls are cancelled after any number of turns of
the event loop, and connections are broken as by a kill. Then each item whose put has returned was returned by
one get, or is still there; and no item whose put did not return ever comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
from collections.abc import Iterator
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from communica_like.exceptions import ConnectionLost
from communica_like.queues.manager.client import HostClient
from communica_like.queues.manager.hosted_queue import HostedQueue
from communica_like.queues.manager.protocol import Item
from communica_like.queues.manager.remote import Lease
from communica_like.queues.manager.server_loop import ServerLoop
from communica_like.queues.manager.service import QueueService

from .frame_end import PATIENCE


class Scene:
    """A host, its clients, and what they put and got."""

    def __init__(self, random: Random, limit: int) -> None:
        self.random = random
        self.loop = ServerLoop("test")
        self.hosted = HostedQueue(self.loop.when_heard, limit)
        self.clients: list[HostClient] = []
        self.put: list[bytes] = []
        self.got: list[bytes] = []
        self.unknown = False  # whether a put may have succeeded that failed
        self.numbers = iter(range(10_000))
        self.loop.start()

    def client(self) -> HostClient:
        ours, theirs = socket.socketpair()
        self.loop.call(QueueService(theirs, self.hosted, self.loop).begin)
        self.clients.append(HostClient(ours, "there", self.hosted.max_items))
        return self.clients[-1]

    async def write(self, client: HostClient, count: int) -> None:
        for _ in range(count):
            size = self.random.choice([0, 0, 100_000, 400_000])
            item = b"%d " % next(self.numbers) + bytes(size)
            timeout = self.random.choice([None, None, 0.0, 0.001])
            if self.random.random() < 0.2:
                call = asyncio.create_task(asyncio.to_thread(client.put_nowait, Item(False, item)))
                cancels = False  # a thread cannot be
            else:
                call = asyncio.create_task(client.put(Item(False, item), timeout))
                cancels = True
            if await self.ends(call, cancels):
                self.put.append(item)

    async def read(self, client: HostClient, count: int) -> None:
        for _ in range(count):
            timeout = self.random.choice([None, 0.0, 0.001])
            if self.random.random() < 0.2:
                call = asyncio.create_task(asyncio.to_thread(self.take_nowait, client))
                await self.ends(call, False)
            else:
                await self.ends(asyncio.create_task(self.take(client, timeout)), True)

    async def take(self, client: HostClient, timeout: float | None) -> None:
        lease = Lease(client)
        await client.get(lease, timeout)
        self.keep(lease)

    def take_nowait(self, client: HostClient) -> None:
        lease = Lease(client)
        client.get_nowait(lease)
        self.keep(lease)

    def keep(self, lease: Lease) -> None:
        assert lease.item is not None
        lease.ack()
        self.got.append(lease.item.data)

    async def ends(self, call: asyncio.Task[None], cancels: bool) -> bool:
        """Let it run for a while, and cancel it; return whether it had succeeded."""
        if cancels:
            for _ in range(self.random.randrange(40)):
                await asyncio.sleep(0)
            call.cancel()
        try:
            await asyncio.wait_for(call, PATIENCE)
        except (asyncio.CancelledError, queue.Empty, queue.Full):
            return False
        except ConnectionLost as lost:
            self.unknown |= lost.sent
            return False
        return True

    async def kill(self, victims: list[HostClient]) -> None:
        for victim in victims:
            for _ in range(self.random.randrange(300)):
                await asyncio.sleep(0)
            victim._channel._frames.hang_up()

    def rest(self) -> list[bytes]:
        """Take all that is left, by a client that comes last."""
        left = len(self.got)
        with contextlib.suppress(queue.Empty):
            last = self.client()
            while True:
                self.take_nowait(last)
        return self.got[left:]


@contextlib.contextmanager
def scene(random: Random, limit: int) -> Iterator[Scene]:
    made = Scene(random, limit)
    try:
        yield made
    finally:
        made.loop.stop()
        for client in made.clients:
            client.close()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), limit=st.sampled_from([0, 2]), kills=st.integers(0, 3))
def test_wherever_calls_end_nothing_is_lost_or_doubled(seed: int, limit: int, kills: int) -> None:
    async def play() -> None:
        random = Random(seed)
        with scene(random, limit) as it:
            writers, readers = [it.client() for _ in range(3)], [it.client() for _ in range(3)]
            victims = random.sample([*writers, *readers], kills)
            await asyncio.wait_for(
                asyncio.gather(
                    *(it.write(client, 12) for client in writers),
                    *(it.read(client, 12) for client in readers for _ in range(2)),
                    it.kill(victims),
                ),
                3 * PATIENCE,
            )
            for client in it.clients:
                client.close()
            it.rest()
            assert len(it.got) == len(set(it.got)), "an item came twice"
            assert not it.unknown
            assert {item[:8] for item in it.got} == {item[:8] for item in it.put}

    asyncio.run(play())
