"""What a ManagerQueue says to its host, and when; in which order its readers get items."""

from __future__ import annotations

import asyncio
import queue
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from communica_like.exceptions import Closed, ConnectionLost
from communica_like.queues import ManagerQueue, QueueHost
from communica_like.queues.manager.client import HostClient
from communica_like.queues.manager.protocol import Kind
from communica_like.queues.manager.remote import RemoteQueue
from communica_like.serializers import RawSerializer

from .frame_end import PATIENCE, End


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Iterator[End]:
    """A host that the test plays, for the one ManagerQueue that connects."""
    ours, theirs = socket.socketpair()

    def open_queue(address: object, authkey: object, ident: object, max_items: int) -> HostClient:
        return HostClient(ours, "there", max_items)

    monkeypatch.setattr("communica_like.queues.manager.client.open_queue", open_queue)
    with theirs:
        yield End(theirs)


def queue_there(max_items: int = 0) -> ManagerQueue:
    """The queue at the host that the test plays."""
    return ManagerQueue("there", b"key", max_items=max_items, serializer=RawSerializer())


@pytest.fixture
async def host() -> AsyncIterator[QueueHost]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:  # tmp_path may be too long for a socket
        async with QueueHost(f"{folder}/s", b"key") as host:
            yield host


def opened(host: QueueHost) -> ManagerQueue:
    assert host.address is not None
    return ManagerQueue(host.address, host.authkey)


async def hear(played: End, *kinds: Kind) -> int:
    """Hear frames of these kinds, in this order; return the last one's number."""
    number = 0
    for expected in kinds:
        kind, number, _ = await asyncio.to_thread(played.hear)
        assert kind is expected
    return number


async def turns(count: int = 20) -> None:
    """Give the event loop time to do what it would do."""
    for _ in range(count):
        await asyncio.sleep(0)


# -- get


@pytest.mark.parametrize("hint", [True, False])
@pytest.mark.parametrize("timeout", [None, 60.0])
@pytest.mark.parametrize("size", [1, 100_000])
async def test_an_answer_that_is_late_is_this_readers_next_item(
    played: End, timeout: float | None, size: int, hint: bool
) -> None:
    async with queue_there() as mq:
        getting = asyncio.create_task(mq.get(timeout=timeout))
        number = await hear(played, Kind.GET)
        if hint:
            played.say(Kind.LATER, number)
        await turns()
        assert not getting.done()
        played.say(Kind.ITEM, number, bytes(size))
        assert await asyncio.wait_for(getting, PATIENCE) == bytes(size)
        # It was not given back in between, and nothing was asked beside.
        assert await hear(played, Kind.ACK) == number


async def test_each_get_has_its_number_and_gives_it_back(played: End) -> None:
    async with queue_there() as mq:
        getting = [asyncio.create_task(mq.get()) for _ in range(3)]
        numbers = [await hear(played, Kind.GET) for _ in getting]
        assert len(set(numbers)) == 3
        getting[1].cancel()
        with pytest.raises(asyncio.CancelledError):
            await getting[1]
        assert await hear(played, Kind.BACK) == numbers[1]
        played.say(Kind.ITEM, numbers[1], b"given back")
        played.say(Kind.ITEM, numbers[0], b"1")
        played.say(Kind.ITEM, numbers[2], b"2")
        assert [await asyncio.wait_for(getting[number], PATIENCE) for number in (0, 2)] == [b"1", b"2"]
        assert {await hear(played, Kind.ACK), await hear(played, Kind.ACK)} == {numbers[0], numbers[2]}


async def test_an_item_that_came_for_a_cancelled_get_goes_back(played: End) -> None:
    async with queue_there() as mq:
        getting = asyncio.create_task(mq.get())
        number = await hear(played, Kind.GET)
        await turns()
        played.say(Kind.ITEM, number, b"item")
        getting.cancel()  # in the turn in which it comes
        with pytest.raises(asyncio.CancelledError):
            await getting
        assert await hear(played, Kind.BACK) == number
        next_one = asyncio.create_task(mq.get())
        again = await hear(played, Kind.GET)
        played.say(Kind.ITEM, again, b"item")
        assert await asyncio.wait_for(next_one, PATIENCE) == b"item"


@pytest.mark.parametrize("timeout", [0.0, -1.0, 1e-6, 0.01])
async def test_an_empty_queue_is_one_of_which_the_host_says_so(played: End, timeout: float) -> None:
    async with queue_there() as mq:
        getting = asyncio.create_task(mq.get(timeout=timeout))
        number = await hear(played, Kind.GET)
        if timeout > 0:
            played.say(Kind.LATER, number)
        assert await hear(played, Kind.NOW) == number
        done, _ = await asyncio.wait([getting], timeout=0.01)
        assert not done  # though its time is over
        played.say(Kind.REFUSED, number)
        with pytest.raises(queue.Empty):
            await asyncio.wait_for(getting, PATIENCE)


async def test_a_hint_for_a_get_that_gave_up_is_none_for_the_next(played: End) -> None:
    async with queue_there() as mq:
        given_up = asyncio.create_task(mq.get(timeout=60))
        old = await hear(played, Kind.GET)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        getting = asyncio.create_task(mq.get(timeout=0.001))
        assert await hear(played, Kind.BACK) == old
        number = await hear(played, Kind.GET)
        played.say(Kind.LATER, old)
        assert await hear(played, Kind.NOW) == number
        played.say(Kind.ITEM, number, b"item")
        assert await asyncio.wait_for(getting, PATIENCE) == b"item"


async def test_a_get_whose_time_is_over_leaves_no_request(host: QueueHost) -> None:
    async with opened(host) as reader, opened(host) as other:
        for number in range(100):
            with pytest.raises(queue.Empty):
                await reader.get(timeout=(0, 1e-6, 1e-3)[number % 3])
            other.put_nowait(number)
            assert other.get_nowait() == number


@pytest.mark.parametrize("size", [1, 40_000, 2_000_000])
async def test_an_item_that_is_there_comes_however_short_the_time(host: QueueHost, size: int) -> None:
    async with opened(host) as writer, opened(host) as reader:
        for timeout in (0, 1e-6, 1e-3):
            await writer.put(bytes(size))
            assert await reader.get(timeout=timeout) == bytes(size)


async def test_what_is_put_does_not_go_to_a_get_that_gave_up(host: QueueHost) -> None:
    async with opened(host) as first, opened(host) as second:
        for number in range(50):
            with pytest.raises(queue.Empty):
                await first.get(timeout=1e-6)
            first.put_nowait(number)
            assert second.get_nowait() == number


async def test_a_thread_that_reads_passes_on_what_is_for_tasks(played: End) -> None:
    async with queue_there() as mq:
        getting = asyncio.create_task(mq.get())
        of_task = await hear(played, Kind.GET)
        await turns()
        threaded = asyncio.create_task(asyncio.to_thread(mq.get_nowait))
        of_thread = await hear(played, Kind.GET, Kind.NOW)
        played.say(Kind.ITEM, of_task, b"task")
        assert await asyncio.wait_for(getting, PATIENCE) == b"task"
        played.say(Kind.ITEM, of_thread, b"thread")
        assert await asyncio.wait_for(threaded, PATIENCE) == b"thread"
        assert [await hear(played, Kind.ACK) for _ in range(2)] == [of_task, of_thread]


async def test_threads_wait_for_their_answers_at_once(played: End) -> None:
    async with queue_there() as mq:
        sizes = [asyncio.create_task(asyncio.to_thread(mq.get_nowait)) for _ in range(4)]
        numbers = [await hear(played, Kind.GET, Kind.NOW) for _ in sizes]  # no one waits for another's answer
        for number in reversed(numbers):
            played.say(Kind.ITEM, number, str(number).encode())
        got = await asyncio.wait_for(asyncio.gather(*sizes), PATIENCE)
        assert sorted(got) == sorted(str(number).encode() for number in numbers)


# -- what must not be queued behind other things


@pytest.mark.parametrize("finish", ["cancel", "go on"])
async def test_get_returns_when_its_ack_is_behind_nothing(played: End, finish: str) -> None:
    async with queue_there(max_items=1) as mq:
        getting = asyncio.create_task(mq.get())
        number = await hear(played, Kind.GET)
        large = asyncio.create_task(mq.put(bytes(5_000_000)))
        await turns()
        assert isinstance(mq._remote, HostClient)
        assert mq._remote._channel.unsent
        played.say(Kind.ITEM, number, b"item")
        await turns(200)
        assert not getting.done()  # were this process killed now, another reader would get the item
        if finish == "cancel":
            getting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await getting
            assert await hear(played, Kind.PUT, Kind.SIZE, Kind.BACK, Kind.BACK) == number
        else:
            played.say(Kind.COUNT, await hear(played, Kind.PUT, Kind.SIZE))
            assert await asyncio.wait_for(getting, PATIENCE) == b"item"
            assert await hear(played, Kind.ACK) == number
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large


async def test_put_returns_when_its_word_is_behind_nothing(played: End) -> None:
    async with queue_there(max_items=1) as mq:
        putting = asyncio.create_task(mq.put(b"small"))
        number = await hear(played, Kind.PUT)
        large = asyncio.create_task(mq.put(bytes(5_000_000)))
        await turns()
        played.say(Kind.ROOM, number)
        await turns(200)
        assert not putting.done()
        played.say(Kind.COUNT, await hear(played, Kind.PUT, Kind.SIZE))
        await asyncio.wait_for(putting, PATIENCE)
        assert await hear(played, Kind.COMMIT) == number
        large.cancel()
        with pytest.raises(asyncio.CancelledError):
            await large


async def test_a_long_item_goes_on_when_the_host_reads_again(played: End) -> None:
    async with queue_there() as mq:
        putting = asyncio.create_task(mq.put(bytes(5_000_000)))
        await asyncio.sleep(0.01)  # the first part is sent, and the task waits
        number = await hear(played, Kind.PUT)
        played.say(Kind.ROOM, number)
        await asyncio.wait_for(putting, PATIENCE)
        assert await hear(played, Kind.COMMIT) == number


async def test_a_call_of_a_thread_sends_what_is_before_it(played: End) -> None:
    async with queue_there(max_items=1) as mq:
        large = asyncio.create_task(asyncio.to_thread(mq.put_nowait, bytes(5_000_000)))
        number = await hear(played, Kind.PUT, Kind.NOW)
        played.say(Kind.ROOM, number)
        await asyncio.wait_for(large, PATIENCE)
        assert await hear(played, Kind.COMMIT) == number


# -- put


@pytest.mark.parametrize("size", [1, 100_000])
async def test_puts_go_in_the_order_in_which_they_were_called(played: End, size: int) -> None:
    async with queue_there(max_items=1) as mq:
        first = asyncio.create_task(mq.put(bytes(size), timeout=PATIENCE))
        numbers = [await hear(played, Kind.PUT)]
        second = asyncio.create_task(mq.put(b"second"))
        numbers.append(await hear(played, Kind.PUT))
        for number in numbers:
            played.say(Kind.ROOM, number)
        await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)
        assert [await hear(played, Kind.COMMIT), await hear(played, Kind.COMMIT)] == numbers


async def test_a_short_item_does_not_overtake_a_long_one(played: End) -> None:
    async with queue_there() as mq:
        await mq.put(b"posted")
        assert await asyncio.to_thread(played.hear) == (Kind.POST, 0, b"posted")
        first = asyncio.create_task(mq.put(bytes(100_000)))
        large = await hear(played, Kind.PUT)
        second = asyncio.create_task(mq.put(b"short"))
        short = await hear(played, Kind.PUT)
        for number in (large, short):
            played.say(Kind.ROOM, number)
            assert await hear(played, Kind.COMMIT) == number
        await asyncio.wait_for(asyncio.gather(first, second), PATIENCE)


async def test_a_cancelled_put_takes_its_item_back(played: End) -> None:
    async with queue_there(max_items=1) as mq:
        putting = asyncio.create_task(mq.put(b"item"))
        number = await hear(played, Kind.PUT)
        await turns()
        played.say(Kind.ROOM, number)
        putting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await putting
        assert await hear(played, Kind.BACK) == number


@pytest.mark.parametrize("timeout", [0.0, 1e-6])
async def test_a_full_queue_is_one_of_which_the_host_says_so(played: End, timeout: float) -> None:
    async with queue_there(max_items=1) as mq:
        for answer in (Kind.REFUSED, Kind.ROOM):
            putting = asyncio.create_task(mq.put(b"item", timeout=timeout))
            number = await hear(played, Kind.PUT, Kind.NOW)
            done, _ = await asyncio.wait([putting], timeout=0.01)
            assert not done
            played.say(answer, number)
            if answer is Kind.ROOM:
                await asyncio.wait_for(putting, PATIENCE)
                assert await hear(played, Kind.COMMIT) == number
            else:
                with pytest.raises(queue.Full):
                    await asyncio.wait_for(putting, PATIENCE)


# -- ends


@pytest.mark.parametrize("method", ["get", "put"])
async def test_closed_in_the_turn_in_which_it_is_opened(played: End, method: str) -> None:
    mq = queue_there()
    waiting = asyncio.create_task(mq.get() if method == "get" else mq.put(b"item"))
    async with asyncio.timeout(PATIENCE):
        while not any(waiter._notified.done() for waiter in mq._entering.waiting):
            await asyncio.sleep(0)
    mq.close()
    with pytest.raises(Closed):
        await asyncio.wait_for(waiting, PATIENCE)


async def test_closed_by_another_thread_while_it_is_opened(played: End) -> None:
    class Closing(ManagerQueue):
        @property
        def _remote(self) -> RemoteQueue | None:
            return self._found

        @_remote.setter
        def _remote(self, remote: RemoteQueue | None) -> None:
            if remote is not None:
                self.close()  # as another thread does at this very moment
            self._found = remote

    mq = Closing("there", b"key")
    with pytest.raises(Closed):
        await asyncio.to_thread(mq.get_nowait)
    assert await asyncio.to_thread(played.socket.recv, 1) == b""


async def test_all_who_wait_hear_of_the_end(played: End) -> None:
    async with queue_there() as mq:
        tasks = [asyncio.create_task(mq.get()), asyncio.create_task(mq.get(timeout=60))]
        tasks.append(asyncio.create_task(mq.join()))
        await hear(played, Kind.GET, Kind.GET, Kind.JOIN)
        tasks.append(asyncio.create_task(asyncio.to_thread(mq.qsize)))
        await hear(played, Kind.SIZE)
        played.socket.shutdown(socket.SHUT_RDWR)
        for task in tasks:
            with pytest.raises(ConnectionLost) as caught:
                await asyncio.wait_for(task, PATIENCE)
            assert not caught.value.sent


async def test_those_who_wait_for_the_connection_go_on_as_they_came(
    played: End, monkeypatch: pytest.MonkeyPatch
) -> None:
    from communica_like.queues.manager import client as opening

    begun, go_on = threading.Event(), threading.Event()
    at_once = opening.open_queue

    def open_later(*arguments: object) -> RemoteQueue:
        begun.set()
        assert go_on.wait(PATIENCE)
        return at_once(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "open_queue", open_later)
    async with asyncio.timeout(PATIENCE):
        mq = queue_there()
        puts = [asyncio.create_task(mq.put(bytes([number]))) for number in range(5)]
        await asyncio.to_thread(begun.wait, PATIENCE)
        go_on.set()
        while mq._remote is None:
            await asyncio.sleep(0)
        puts.append(asyncio.create_task(mq.put(bytes([5]))))  # it is open, and others were first
        await asyncio.gather(*puts)
        assert [(await asyncio.to_thread(played.hear))[2] for _ in puts] == [bytes([n]) for n in range(6)]
        mq.close()


async def test_all_who_wait_for_the_connection_hear_why_there_is_none() -> None:
    async with asyncio.timeout(PATIENCE):
        mq = ManagerQueue("/nowhere/at/all", b"key")
        for _ in range(2):
            gets = [asyncio.create_task(mq.get()) for _ in range(3)]
            errors = await asyncio.gather(*gets, return_exceptions=True)
            assert [type(error).__name__ for error in errors] == ["LinkRefused"] * 3
        mq.close()


async def test_an_event_loop_that_cannot_watch_sockets(played: End, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise NotImplementedError  # as Windows's ProactorEventLoop

    async with queue_there() as mq:
        monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
        with pytest.raises(RuntimeError, match="cannot watch sockets"):
            await mq.get()
        await hear(played, Kind.GET, Kind.BACK)
