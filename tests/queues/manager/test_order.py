"""In which order the readers of a manager's queue get its items, however late answers come."""

from __future__ import annotations

import asyncio
import queue
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from communica_like.aio.waiters import Line
from communica_like.exceptions import Closed
from communica_like.queues import ManagerQueue, QueueHost
from communica_like.queues.manager.client import HostClient
from communica_like.queues.manager.protocol import Kind, join_frame
from communica_like.queues.manager.remote import Claim, RemoteQueue
from communica_like.serializers import RawSerializer

from .frame_end import PATIENCE, End


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[End]:
    """A host that the test plays, for the one ManagerQueue that connects."""
    ours, theirs = socket.socketpair()

    def open_queue(
        address: object, authkey: object, ident: object, max_items: int, getters: Line, putters: Line
    ) -> HostClient:
        return HostClient(ours, "there", max_items, getters, putters)

    monkeypatch.setattr("communica_like.queues.manager.open.open_queue", open_queue)
    with theirs:
        yield End(theirs)


@pytest.fixture
async def host() -> AsyncIterator[QueueHost]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:  # tmp_path may be too long for a socket
        async with QueueHost(f"{folder}/s", b"key") as host:
            yield host


def opened(host: QueueHost) -> ManagerQueue:
    assert host.address is not None
    return ManagerQueue(host.address, host.authkey)


@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("size", [1, 100_000])
async def test_an_answer_that_is_late_is_this_readers_next_item(
    played: End, timeout: float | None, size: int
) -> None:
    async with ManagerQueue("there", b"key", serializer=RawSerializer()) as mq:
        getting = asyncio.create_task(mq.get(timeout=timeout))
        kind, number, _ = await asyncio.to_thread(played.hear)
        assert kind is Kind.GLANCE
        await asyncio.sleep(0)  # it is back from its glance
        assert not getting.done()
        played.say(Kind.LATER, number)
        played.say(Kind.ITEM, number, bytes(size))
        assert await asyncio.wait_for(getting, PATIENCE) == bytes(size)
        # It was not given back in between, and nothing was asked beside.
        assert await asyncio.to_thread(played.hear) == (Kind.TAKEN, number, b"")


async def test_what_one_gave_up_is_for_the_next_who_comes(played: End) -> None:
    async with ManagerQueue("there", b"key", serializer=RawSerializer()) as mq:
        getting = asyncio.create_task(mq.get())
        _, number, _ = await asyncio.to_thread(played.hear)
        await asyncio.sleep(0)
        getting.cancel()
        next_one = asyncio.create_task(mq.get())
        with pytest.raises(asyncio.CancelledError):
            await getting
        assert await asyncio.to_thread(played.hear) == (Kind.GLANCE, number, b"")
        played.say(Kind.ITEM, number, b"item")
        assert await asyncio.wait_for(next_one, PATIENCE) == b"item"
        assert await asyncio.to_thread(played.hear) == (Kind.TAKEN, number, b"")


async def test_an_empty_queue_is_one_of_which_the_host_says_so(played: End) -> None:
    async with ManagerQueue("there", b"key", serializer=RawSerializer()) as mq:
        for timeout, question, answer in ((0, Kind.TRY_ITEM, Kind.REFUSED), (1e-6, Kind.GLANCE, Kind.LATER)):
            getting = asyncio.create_task(mq.get(timeout=timeout))
            kind, number, _ = await asyncio.to_thread(played.hear)
            assert kind is question
            done, _ = await asyncio.wait([getting], timeout=0.01)
            assert not done  # though its time is over
            played.say(answer, number)
            with pytest.raises(queue.Empty):
                await asyncio.wait_for(getting, PATIENCE)
        assert await asyncio.to_thread(played.hear) == (Kind.BACK, number, b"")


async def test_a_get_whose_time_is_over_leaves_no_request(host: QueueHost) -> None:
    async with opened(host) as reader, opened(host) as other:
        for number in range(100):
            with pytest.raises(queue.Empty):
                await reader.get(timeout=(0, 1e-6, 1e-3)[number % 3])
            for _ in range(10):
                await asyncio.sleep(0)  # until it is given back
            other.put_nowait(number)
            assert other.get_nowait() == number


@pytest.mark.parametrize("size", [1, 40_000, 2_000_000])
async def test_an_item_that_is_there_comes_however_short_the_time(host: QueueHost, size: int) -> None:
    async with opened(host) as writer, opened(host) as reader:
        for timeout in (0, 1e-6, 1e-3):
            await writer.put(bytes(size))
            assert await reader.get(timeout=timeout) == bytes(size)


async def test_what_is_put_does_not_go_to_who_gave_up_here(host: QueueHost) -> None:
    async with opened(host) as first, opened(host) as second:
        for number in range(50):
            with pytest.raises(queue.Empty):
                await first.get(timeout=1e-6)
            first._post(number)
            assert second.get_nowait() == number


async def test_nor_does_what_waited_for_room(played: End) -> None:
    async with ManagerQueue("there", b"key", max_items=1, serializer=RawSerializer()) as mq:
        putting = asyncio.create_task(mq.put(b"item"))
        assert (await asyncio.to_thread(played.hear))[0] is Kind.TRY_ROOM
        heard = [await asyncio.to_thread(played.hear) for _ in range(2)]
        assert [kind for kind, _, _ in heard] == [Kind.BACK, Kind.ASK_ROOM]
        getting = asyncio.create_task(mq.get(timeout=1e-6))
        kind, glance, _ = await asyncio.to_thread(played.hear)
        assert kind is Kind.GLANCE
        played.say_frames(join_frame(Kind.LATER, glance), join_frame(Kind.ROOM, heard[1][1]))
        with pytest.raises(queue.Empty):
            await asyncio.wait_for(getting, PATIENCE)
        await asyncio.wait_for(putting, PATIENCE)
        assert await asyncio.to_thread(played.hear) == (Kind.BACK, glance, b"")
        assert await asyncio.to_thread(played.hear) == (Kind.FILL, heard[1][1], b"item")


async def test_whoever_waits_for_an_answer_is_not_overtaken(played: End) -> None:
    async with ManagerQueue("there", b"key", serializer=RawSerializer()) as mq:
        first = asyncio.create_task(mq.get(timeout=PATIENCE))
        kind, number, _ = await asyncio.to_thread(played.hear)
        assert kind is Kind.GLANCE
        second = asyncio.create_task(mq.get())
        await asyncio.sleep(0)
        played.say(Kind.LATER, number)
        for _ in range(100):  # the first has its answer, and waits on
            await asyncio.sleep(0)
        played.say(Kind.ITEM, number, b"1")
        assert await asyncio.wait_for(first, PATIENCE) == b"1"
        assert await asyncio.to_thread(played.hear) == (Kind.TAKEN, number, b"")
        kind, number, _ = await asyncio.to_thread(played.hear)
        assert kind is Kind.ASK_ITEM
        played.say(Kind.ITEM, number, b"2")
        assert await asyncio.wait_for(second, PATIENCE) == b"2"


@pytest.mark.parametrize("size", [1, 100_000])
async def test_nor_is_whoever_waits_for_an_answer_to_a_put(played: End, size: int) -> None:
    async def heard(*kinds: Kind) -> int:
        for expected in kinds:
            kind, number, _ = await asyncio.to_thread(played.hear)
            assert kind is expected
        return number

    async with ManagerQueue("there", b"key", max_items=1, serializer=RawSerializer()) as mq:
        first = asyncio.create_task(mq.put(bytes(size), timeout=PATIENCE))
        held = await heard(Kind.OFFER) if size > 1 else 0
        second = asyncio.create_task(mq.put(b"second"))
        await asyncio.sleep(0)
        if held:
            played.say(Kind.HELD, held)
        number = await heard(Kind.TRY_ROOM, Kind.BACK, Kind.TRY_ROOM)
        played.say(Kind.ROOM, number)
        await heard(Kind.FILL_HELD if held else Kind.FILL)
        played.say(Kind.ROOM, await heard(Kind.ASK_ROOM))
        await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
        assert (await asyncio.to_thread(played.hear))[::2] == (Kind.FILL, b"second")


async def test_put_returns_when_nothing_is_before_the_item_any_more(played: End) -> None:
    def answer() -> list[Kind]:
        heard = []
        deadline = time.monotonic() + PATIENCE
        while len(client._frames._unsent) < 2 and time.monotonic() < deadline:
            time.sleep(0)
        while Kind.SIZE not in heard:
            kind, number, _ = played.hear()
            heard.append(kind)
        played.say_frames(join_frame(Kind.COUNT, number))
        return heard

    async with ManagerQueue("there", b"key", max_items=1, serializer=RawSerializer()) as mq:
        assert isinstance(mq._remote, HostClient)
        client = mq._remote
        putting = asyncio.create_task(mq.put(b"small"))
        for expected in (Kind.TRY_ROOM, Kind.BACK, Kind.ASK_ROOM):
            kind, number, _ = await asyncio.to_thread(played.hear)
            assert kind is expected
        large = asyncio.create_task(mq.put(bytes(5_000_000)))
        await asyncio.sleep(0)
        assert client._frames.unsent
        answering = asyncio.create_task(asyncio.to_thread(answer))
        played.say(Kind.ROOM, number)
        putting.add_done_callback(lambda task: left.append(client._frames.unsent))
        left: list[bool] = []
        await asyncio.wait_for(putting, PATIENCE)
        assert left == [False]
        assert await answering == [Kind.OFFER, Kind.FILL, Kind.SIZE]
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large


async def test_a_thread_that_looks_takes_nothing_from_who_waits_for_an_answer(
    played: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = HostClient.quick_take

    def look_and_settle(self: HostClient) -> Claim | None:
        claim = look(self)
        self._settle()  # as another thread does before it looks, at this very moment
        return claim

    monkeypatch.setattr(HostClient, "quick_take", look_and_settle)
    async with ManagerQueue("there", b"key", serializer=RawSerializer()) as mq:
        getting = asyncio.create_task(mq.get(timeout=1e-6))
        kind, number, _ = await asyncio.to_thread(played.hear)
        assert kind is Kind.GLANCE
        await asyncio.sleep(0)
        played.say(Kind.ITEM, number, b"item")
        assert await asyncio.wait_for(getting, PATIENCE) == b"item"


@pytest.mark.parametrize("method", ["get", "put"])
async def test_closed_in_the_turn_in_which_it_is_opened(played: End, method: str) -> None:
    mq = ManagerQueue("there", b"key", serializer=RawSerializer())
    waiting = asyncio.create_task(mq.get() if method == "get" else mq.put(b"item"))
    async with asyncio.timeout(PATIENCE):
        while not any(place.done() for place in mq._arrivals._places):
            await asyncio.sleep(0)
    mq.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(waiting, PATIENCE)


async def test_closed_by_another_thread_while_it_is_opened(played: End) -> None:
    class Closing(ManagerQueue):
        @property
        def _remote(self) -> RemoteQueue | None:
            return self._opened

        @_remote.setter
        def _remote(self, remote: RemoteQueue | None) -> None:
            if remote is not None:
                self.close()  # as another thread does at this very moment
            self._opened = remote

    mq = Closing("there", b"key")
    with pytest.raises(Closed):
        await asyncio.to_thread(mq.get_nowait)
    assert await asyncio.to_thread(played.socket.recv, 1) == b""
