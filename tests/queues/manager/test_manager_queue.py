"""ManagerQueue and QueueHost: what is theirs beside what all queues keep."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import queue
import socket
import stat
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from multiprocessing import managers
from multiprocessing.connection import Client
from typing import Any

import pytest

from communica_like.exceptions import (
    AddressInUse,
    AuthenticationError,
    Closed,
    ConnectionLost,
    LinkError,
    LinkRefused,
    MessageTooBig,
)
from communica_like.queues import ManagerQueue, QueueHost
from communica_like.queues.manager import hosted_queue, protocol, service

PATIENCE = 20.0
LARGE = 300_000


@pytest.fixture
def folder() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="cl-") as folder:
        yield folder


@pytest.fixture
async def host(folder: str) -> AsyncIterator[QueueHost]:
    async with QueueHost(f"{folder}/s", b"key") as host:
        yield host


def opened(host: QueueHost, *arguments: Any, **options: Any) -> ManagerQueue:
    assert host.address is not None
    return ManagerQueue(host.address, host.authkey, *arguments, **options)


# -- cancelling


@pytest.mark.parametrize("size, max_items", [(0, 3), (LARGE, 3), (0, 0)])
async def test_cancelled_anywhere_nothing_is_lost_or_doubled(
    host: QueueHost, size: int, max_items: int
) -> None:
    count = 200 if size else 2_000
    async with opened(host, max_items=max_items) as writer, opened(host) as reader:

        async def write() -> None:
            number = turn = 0
            while number < count:
                turn += 1
                putting = asyncio.create_task(writer.put((number, bytes(size))))
                for _ in range(turn % 7):
                    await asyncio.sleep(size / 3e8)  # a few ms for a large one
                putting.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await putting
                    number += 1

        got: list[int] = []

        async def read() -> None:
            turn = 0
            while len(got) < count:
                turn += 1
                getting = asyncio.create_task(reader.get(timeout=(None, 1, 0.0003)[turn % 3]))
                for _ in range(turn % 11):
                    await asyncio.sleep(size / 3e8)
                getting.cancel()
                with contextlib.suppress(asyncio.CancelledError, queue.Empty):
                    got.append((await getting)[0])

        await asyncio.wait_for(asyncio.gather(write(), read()), 5 * PATIENCE)
        assert got == list(range(count))
        assert reader.qsize() == 0


async def test_a_get_that_was_cancelled_hides_nothing_from_others(host: QueueHost) -> None:
    async with opened(host) as first, opened(host) as second:
        for number in range(50):
            getting = asyncio.create_task(first.get())
            await asyncio.sleep(0)
            second.put_nowait(number)
            getting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await getting
            assert await second.get(timeout=PATIENCE) == number


async def test_a_put_that_was_cancelled_takes_no_room(host: QueueHost) -> None:
    async with opened(host, max_items=1) as first, opened(host) as second:
        for number in range(50):
            second.put_nowait(number)
            putting = asyncio.create_task(first.put("never"))
            await asyncio.sleep(0)
            putting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await putting
            assert second.get_nowait() == number
            await second.put(-number, timeout=PATIENCE)
            assert first.get_nowait() == -number


async def test_what_put_returned_for_is_there_for_others(host: QueueHost) -> None:
    async with opened(host) as first, opened(host) as second:
        for number in range(300):
            await first.put(number)
            assert second.get_nowait() == number


async def test_a_reader_that_closes_gives_back_what_is_on_its_way(host: QueueHost) -> None:
    async with opened(host) as writer:
        for _ in range(30):
            reader = opened(host)
            assert reader.qsize() == 0
            getting = asyncio.create_task(reader.get())
            await asyncio.sleep(0)
            reader.qsize()
            writer.put_nowait("item")
            reader.close()
            with pytest.raises(Closed):
                await getting
            assert await writer.get(timeout=PATIENCE) == "item"


# -- sizes, numbers, idents


async def test_large_items(host: QueueHost) -> None:
    async with opened(host) as writer, opened(host) as reader:
        blob = os.urandom(5_000_000)
        await writer.put(blob)
        writer.put_nowait(blob[1:])
        assert await reader.get() == blob
        assert reader.get_nowait() == blob[1:]
        writer.close()  # what was put is put, though it may not have been sent
        assert reader.qsize() == 0
    async with opened(host, max_item_size=100) as small:
        with pytest.raises(MessageTooBig, match="100 at most"):
            await small.put(bytes(101))


async def test_who_first_asks_says_how_many_it_holds(folder: str) -> None:
    async with QueueHost(f"{folder}/s", b"key", max_items=4) as host:
        async with opened(host, "a", max_items=2) as a, opened(host, "b") as b, opened(host, "a") as again:
            assert a.guarantees.capacity == again.guarantees.capacity == 2
            assert b.guarantees.capacity == 4


@pytest.mark.parametrize("make", [
    lambda: ManagerQueue("/x", "text"),  # type: ignore[arg-type]
    lambda: ManagerQueue("/x", b"key", 1.5),  # type: ignore[arg-type]
    lambda: ManagerQueue("/x", b"key", max_items=-1),
    lambda: QueueHost("/x", "text"),  # type: ignore[arg-type]
    lambda: QueueHost("/x", max_items=-1),
])  # fmt: skip
def test_what_makes_no_sense(make: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        make()


def test_in_one_event_loop_after_another(folder: str) -> None:
    async def start() -> QueueHost:
        return await QueueHost(f"{folder}/s", b"key").__aenter__()

    async def leave() -> None:
        waiting = asyncio.create_task(mq.get())
        await asyncio.sleep(0.01)
        waiting.cancel()

    host = asyncio.run(start())
    mq = opened(host)
    try:
        for number in range(3):
            asyncio.run(leave())
            asyncio.run(mq.put(number))
            assert asyncio.run(mq.get(timeout=PATIENCE)) == number
    finally:
        mq.close()
        asyncio.run(host.close())


# -- hosts


async def test_by_default_a_private_socket_and_a_random_key(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMUNICA_LIKE_DIR", f"{folder}/state")
    async with QueueHost() as first, QueueHost() as second:
        assert first.address != second.address
        assert first.authkey != second.authkey
        assert len(first.authkey) == 32
        assert stat.S_IMODE(os.stat(str(first.address)).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(str(first.address))).st_mode) == 0o700
        assert repr(first.authkey) not in repr(first)
        async with opened(first) as mq:
            await mq.put(1)
    assert os.listdir(os.path.dirname(str(first.address))) == []
    # What a host that was killed left is used by the next one.
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(first.address))
    async with QueueHost() as third:
        assert third.address == first.address


async def test_on_a_port() -> None:
    async with QueueHost(("127.0.0.1", 0)) as host:
        assert isinstance(host.address, tuple)
        assert host.address[1] > 0
        async with opened(host) as mq:
            await mq.put(1)
            assert await mq.get() == 1
        with pytest.raises(AddressInUse):
            await QueueHost(host.address).__aenter__()
    with pytest.raises(LinkRefused, match=r"127\.0\.0\.1"):
        await opened(host).get()
    with pytest.raises(LinkError, match="cannot serve"):
        await QueueHost(("no.such.host.invalid", 0)).__aenter__()


async def test_addresses_that_are_not_to_be_had(host: QueueHost, folder: str) -> None:
    with pytest.raises(AddressInUse):
        await QueueHost(host.address).__aenter__()
    with pytest.raises(LinkError, match="cannot serve"):
        await QueueHost(f"{folder}/missing/s").__aenter__()
    with pytest.raises(ValueError, match="at most"):
        await QueueHost(f"{folder}/{'x' * 200}").__aenter__()
    with pytest.raises(RuntimeError, match="serves already"):
        await host.__aenter__()
    with pytest.raises(LinkRefused):
        await ManagerQueue(f"{folder}/missing", b"key").get()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{folder}/dead")
    with pytest.raises(LinkRefused, match="no manager serves"):
        ManagerQueue(f"{folder}/dead", b"key").get_nowait()


async def test_closing_the_host_ends_all_and_leaves_nothing(
    folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads = set(threading.enumerate())
    heard: list[int] = []

    def get(queue: hosted_queue.HostedQueue, client: hosted_queue.Client, number: int) -> None:
        heard.append(number)
        really_get(queue, client, number)

    really_get = hosted_queue.HostedQueue.get
    monkeypatch.setitem(service._CALLS, protocol.Kind.GET, get)
    async with QueueHost(f"{folder}/s", b"key") as host:
        queues = [opened(host, number) for number in range(5)]
        calls = [asyncio.create_task(each.get()) for each in queues]
        silent = socket.socket(socket.AF_UNIX)
        silent.connect(str(host.address))
        async with asyncio.timeout(PATIENCE):
            while len(heard) < len(queues):  # a get that the host has not heard would look for another host
                await asyncio.sleep(0.001)
    for call in calls:
        with pytest.raises(ConnectionLost) as caught:
            await asyncio.wait_for(call, PATIENCE)
        assert not caught.value.sent
    silent.close()
    for each in queues:
        each.close()
    await host.close()
    async with asyncio.timeout(PATIENCE):
        while {each.name for each in set(threading.enumerate()) - threads if "asyncio" not in each.name}:
            await asyncio.sleep(0.001)
    assert os.listdir(folder) == []


async def test_an_idle_queue_finds_the_next_host(folder: str) -> None:
    queues = [ManagerQueue(f"{folder}/s", b"key", number) for number in range(3)]
    for turn in range(3):
        async with QueueHost(f"{folder}/s", b"key"):
            await queues[0].put(turn)
            assert await queues[0].get() == turn
            queues[1].put_nowait(turn)
            assert queues[1].get_nowait() == turn
            assert queues[2].qsize() == 0
    for each in queues:
        each.close()


async def test_a_host_that_ends_gives_no_answers_to_proxies(folder: str) -> None:
    class Manager(managers.BaseManager):
        """As ipcq's client is made."""

    Manager.register("get_queue")

    def wait(call: Any, *arguments: Any) -> object:
        try:
            return call(*arguments)
        except (EOFError, ConnectionError) as exc:
            return exc

    async with QueueHost(f"{folder}/s", b"key", max_items=1) as host:
        manager = Manager(f"{folder}/s", b"key")
        manager.connect()
        empty, full = (manager.get_queue(ident) for ident in ("empty", "full"))  # type: ignore[attr-defined]
        full.put("item")
        calls = [asyncio.to_thread(wait, *call) for call in ((empty.get,), (full.put, "more"), (full.join,))]
        waiting = [asyncio.ensure_future(call) for call in calls]
        assert host._server is not None
        async with asyncio.timeout(PATIENCE):
            while len(host._server._loop._members) != len(calls):
                await asyncio.sleep(0.001)
    for answer in await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE):
        assert isinstance(answer, EOFError | ConnectionError), answer


# -- strangers


class Bomb:
    """Whoever unpickles it makes a folder."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self._path,)


async def test_strangers_and_garbage_harm_nobody(host: QueueHost, folder: str) -> None:
    bomb = pickle.dumps(Bomb(f"{folder}/boom"))
    async with opened(host) as mq:
        with pytest.raises(AuthenticationError):
            await ManagerQueue(str(host.address), b"wrong").get()
        silent = [socket.socket(socket.AF_UNIX) for _ in range(20)]
        for each in silent:
            each.connect(str(host.address))
        whole = len(bomb).to_bytes(4) + bomb
        for garbage in (whole, b"\xff" * 5000, b"\0" * 40, b"\x7f\xff\xff\xff", b"GET /\n"):
            with socket.socket(socket.AF_UNIX) as stranger:
                stranger.settimeout(PATIENCE)
                stranger.connect(str(host.address))
                stranger.sendall(garbage)
                stranger.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionError):
                    while await asyncio.to_thread(stranger.recv, 4096):
                        pass
        await mq.put("still here")
        assert await mq.get(timeout=PATIENCE) == "still here"
        for each in silent:
            each.close()
    assert not os.path.exists(f"{folder}/boom")


async def test_what_a_client_puts_is_not_unpickled_by_the_host(host: QueueHost, folder: str) -> None:
    async with opened(host) as mq:
        await mq.put(Bomb(f"{folder}/boom"))
        assert mq.qsize() == 1
        assert not os.path.exists(f"{folder}/boom")
        await mq.get()
        assert os.path.exists(f"{folder}/boom")


@pytest.mark.parametrize("frame", [
    b"", b"\xff" * 9, b"\x01", b"\x02" + bytes(8), b"\x06" + bytes(8), b"\x20" + bytes(8), b"\x20" + bytes(16)
])  # fmt: skip
async def test_a_client_that_breaks_the_protocol_is_sent_away(host: QueueHost, frame: bytes) -> None:
    def speak() -> None:
        with Client(str(host.address), authkey=b"key") as client:
            client.send((None, "communica_like_queue", (2, None, 0), {}))
            assert client.recv() == ("#RETURN", 0)
            client.send_bytes(frame)
            with pytest.raises((EOFError, ConnectionError)):
                client.recv_bytes()

    await asyncio.wait_for(asyncio.to_thread(speak), PATIENCE)
    async with opened(host) as mq:
        await mq.put(1)


async def test_a_client_of_another_version(host: QueueHost) -> None:
    def speak() -> None:
        attach = "communica_like_queue"
        wrong: list[tuple[Any, ...]] = [(1, None, 0), (99, None, 0), (2, 1.5, 0), ()]
        calls: list[Any] = [(None, attach, each, {}) for each in wrong]
        calls += [(None, "shutdown", (), {}), 5]
        for call in calls:
            with Client(str(host.address), authkey=b"key") as client:
                client.send(call)
                assert client.recv()[0] == "#TRACEBACK"

    await asyncio.wait_for(asyncio.to_thread(speak), PATIENCE)
    async with opened(host) as mq:
        await mq.put(1)


async def test_clients_that_die_in_the_middle_of_a_call(host: QueueHost) -> None:
    whole = pickle.dumps((None, "create", ("get_queue", "ident"), {}))

    def die() -> None:
        for length in (0, 2, 4, 10, len(whole) + 4):
            with Client(str(host.address), authkey=b"key") as client:
                sent = len(whole).to_bytes(4) + whole
                os.write(client.fileno(), sent[:length])

    await asyncio.to_thread(die)
    async with opened(host) as mq:
        await mq.put(1)
        assert await mq.get() == 1


async def test_a_server_that_is_no_manager(folder: str) -> None:
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(f"{folder}/s")
        mute.listen()
        closing = threading.Thread(target=lambda: mute.accept()[0].close())
        closing.start()
        with pytest.raises(LinkError, match="ended the connection"):
            await ManagerQueue(f"{folder}/s", b"key").get()
        closing.join()


async def test_a_manager_without_queues(folder: str) -> None:
    server = managers.BaseManager(f"{folder}/s", b"key").get_server()
    server.stop_event = threading.Event()  # type: ignore[attr-defined]
    threading.Thread(target=_accept_two, args=(server,), daemon=True).start()
    with pytest.raises(LinkError, match="gives no queue None"):
        await ManagerQueue(f"{folder}/s", b"key").get()
    server.listener.close()  # type: ignore[attr-defined]


def _accept_two(server: Any) -> None:
    for _ in range(2):
        server.handle_request(server.listener.accept())
