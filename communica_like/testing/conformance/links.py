"""What is promised of addresses, of who may come in, and of the end."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable

from ...abc import Link, LinkReceiver
from ...connectors import connector_from
from ...entities import SimpleClient, SimpleServer
from ...exceptions import AddressInUse, AuthenticationError, ConnectTimeout, LinkRefused
from .meeting import QUICK, MakeMeeting, at_most, raises, reaches

__all__ = [
    "check_address",
    "check_authkey",
    "check_clean_exit",
    "check_link",
    "check_one_server",
]


def _echo(data: object) -> object:
    return data


class _Ear:
    """A receiver that remembers."""

    def __init__(self) -> None:
        self.heard = bytearray()
        self.breaks = 0

    def data_received(self, data: bytes) -> None:
        assert not self.breaks, "nothing comes after the break"
        self.heard += data

    def link_writable(self) -> None:
        pass

    def link_broken(self, error: Exception | None) -> None:
        self.breaks += 1


async def check_link(make: MakeMeeting) -> None:
    """A link carries bytes both ways, in order; ``close`` sends what was taken; each end hears of the
    break once, and of nothing after it.
    """
    meeting = make(None)
    ears: list[_Ear] = []
    links: list[Link] = []

    def accept(link: Link) -> LinkReceiver:
        links.append(link)
        ears.append(_Ear())
        return ears[-1]

    listener = await meeting.server.listen(accept)
    blob = bytes(range(256)) * 2_000
    closers: list[Callable[[Link], None]] = [lambda link: link.close(), lambda link: link.abort()]
    try:
        for number, close in enumerate(closers, 1):
            near = _Ear()
            link = await meeting.client(listener.address).connect(near)
            await reaches(lambda number=number: len(ears) == number, "the server hears of it")  # type: ignore[misc]
            for start in range(0, len(blob), 7_000):
                link.send(blob[start : start + 7_000])
            await reaches(lambda: len(ears[-1].heard) == len(blob), "all bytes arrive")
            assert ears[-1].heard == blob
            links[-1].send(b"last words")
            if close is closers[0]:
                links[-1].close()
                links[-1].send(b"into the void")
                await reaches(lambda near=near: near.heard == b"last words", "close() sends")  # type: ignore[misc]
            else:
                links[-1].abort()
                links[-1].send(b"into the void")
            await reaches(lambda near=near: near.breaks == 1, "the other end hears of it")  # type: ignore[misc]
            await reaches(lambda: ears[-1].breaks == 1, "this end hears of it")
            for broken in (link, links[-1]):
                broken.send(b"into the void")
                broken.close()
                broken.abort()
                broken.send(b"into the void")
            assert near.breaks == ears[-1].breaks == 1, "each end hears of it once"
    finally:
        await listener.close()


async def check_address(make: MakeMeeting) -> None:
    """A connector is known by its URL: rebuilt from it, it is equal; it is hashable and can be pickled,
    unless it holds what cannot; its repr and its URL hold no secret.
    """
    connector = make(b"the-secret").server
    url = connector.dump_state()
    assert url.isascii()
    assert url.startswith(f"{connector.scheme}://")
    assert type(connector).from_state(url).dump_state() == url
    assert type(connector_from(url)) is type(connector)
    assert connector == connector
    assert hash(connector) == hash(connector)
    assert "the-secret" not in repr(connector) + url
    try:
        pickled = pickle.dumps(connector)
    except TypeError as exc:
        refusal = str(exc)
    else:
        assert pickle.loads(pickled) == connector
        return
    assert "pickle" in refusal, "a connector that cannot be pickled says so"


async def check_one_server(make: MakeMeeting) -> None:
    """Nobody there is LinkRefused; a second server is AddressInUse, and does the first one no harm; the
    address is free when the server has closed.
    """
    meeting = make(None)
    async with SimpleServer(meeting.server, _echo, limits=QUICK) as server:
        connector = meeting.client(server.address)
        taken = meeting.server if meeting.server.dump_state() == server.address else None
        async with SimpleClient(connector, limits=QUICK) as client:
            if taken is not None:
                with raises(AddressInUse, "the address has one server"):
                    await SimpleServer(taken).init()
            assert await at_most(5, client.request("hello"), "the first server is unharmed") == "hello"
    with raises(LinkRefused, "nobody is there"):
        await connector.connect(_Ear())
    with raises(ConnectTimeout, "nobody came") as caught:
        await SimpleClient(connector).init(timeout=0.1)
    assert connector.dump_state() in str(caught[0]), "the error says whom it could not reach"
    async with SimpleServer(meeting.server, _echo, limits=QUICK) as server:
        async with SimpleClient(meeting.client(server.address), limits=QUICK) as client:
            assert await client.request("again") == "again"


async def check_clean_exit(make: MakeMeeting) -> None:
    """Leaving ``async with`` leaves no task behind, in whatever order server and clients leave."""
    before = asyncio.all_tasks()
    for server_first in (True, False):
        meeting = make(None)
        server = await SimpleServer(meeting.server, _echo, limits=QUICK).init()
        clients = [SimpleClient(meeting.client(server.address), limits=QUICK) for _ in range(3)]
        for client in clients:
            await client.init()
            assert await client.request(1) == 1
        order = [server, *clients] if server_first else [*clients, server]
        for entity in order:
            await at_most(5, entity.close(), f"{entity!r} closes")
            assert entity.state == "closed"
    left = asyncio.all_tasks() - before
    assert not left, f"tasks are left behind: {left}"


async def check_authkey(make: MakeMeeting) -> None:
    """With the same authkey two sides come together; with different ones, or one alone, they do not:
    that is AuthenticationError, and those who are in already go on.
    """
    for server_key in (b"right", None):
        meeting = make(server_key)
        async with SimpleServer(meeting.server, _echo, limits=QUICK) as server:
            honest = meeting.client(server.address)
            assert honest.authkey == server_key
            async with SimpleClient(honest, limits=QUICK) as client:
                for wrong_key in (b"wrong", b"right", None):
                    if wrong_key == server_key:
                        continue
                    stranger = SimpleClient(make(wrong_key).client(server.address), limits=QUICK)
                    with raises(AuthenticationError, f"{wrong_key!r} is not {server_key!r}"):
                        await at_most(5, stranger.init(), "a stranger hears at once that it is not let in")
                assert await client.request("still here") == "still here"
                await reaches(lambda: len(server.clients) == 1, "no trace of strangers", 2)
