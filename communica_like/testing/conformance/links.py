"""Checks of links, addresses and clean exits."""

from __future__ import annotations

import asyncio
import contextlib
import pickle

from ...abc import Connector, Link, LinkReceiver
from ...connectors import connector_from
from ...entities import SimpleClient, SimpleServer
from ...exceptions import AddressInUse, ConnectTimeout, LinkRefused
from .meeting import QUICK, MakeMeeting, Meeting, at_most, promised, raises, reaches, refused


def _echo(data: object) -> object:
    return data


class Ear:
    """The receiver of a link, which records what it is told."""

    link: Link

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


@promised
async def check_link(make: MakeMeeting) -> None:
    """A link carries bytes both ways in order; ``close`` sends what it has taken; each end is told of the
    break once, and of nothing after it.
    """
    meeting = make(None)
    near: list[Ear] = []
    far: list[Ear] = []

    def accept(link: Link) -> LinkReceiver:
        far.append(Ear())
        far[-1].link = link
        return far[-1]

    listener = await meeting.server.listen(accept)
    blob = bytes(range(256)) * 2_000
    try:
        for way in ("close", "abort"):
            ear = Ear()
            ear.link = await meeting.client(listener.address).connect(ear)
            near.append(ear)
            await reaches(lambda: len(far) == len(near), "the server hears of it")
            for start in range(0, len(blob), 7_000):
                ear.link.send(blob[start : start + 7_000])
            await reaches(lambda: len(far[-1].heard) >= len(blob), "all bytes arrive")
            assert far[-1].heard == blob, "bytes arrive once, in order and unaltered"
            far[-1].link.send(b"last words")
            getattr(far[-1].link, way)()
            far[-1].link.send(b"into the void")
            if way == "close":
                await reaches(lambda: near[-1].heard == b"last words", "close() sends")
            await reaches(lambda: near[-1].breaks == 1, "the other end hears of it")
            await reaches(lambda: far[-1].breaks == 1, "this end hears of it")
            for link in (ear.link, far[-1].link):
                link.send(b"into the void")
                link.close()
                link.abort()
                link.send(b"into the void")
            assert ear.breaks == far[-1].breaks == 1, "each end hears of it once"
    finally:
        for ear in (*near, *far):
            ear.link.abort()
        await listener.close()
        await asyncio.sleep(0.01)  # lets links end after a failed check


@promised
async def check_address(make: MakeMeeting) -> None:
    """A connector rebuilt from its URL is equal to the original; it is hashable and, unless it holds
    something that is not, picklable; neither its repr nor its URL contains a secret.
    """
    connector = make(b"the-secret").server
    url = connector.dump_state()
    assert url.isascii(), "a URL is ASCII"
    assert url.startswith(f"{connector.scheme}://"), f"{url} begins with the scheme {connector.scheme}://"
    again = type(connector).from_state(url, authkey=b"the-secret")
    assert again.dump_state() == url, "a connector is rebuilt from its URL"
    assert type(connector_from(url)) is type(connector), "connector_from knows it by its URL"
    assert connector == connector, "a connector is comparable"
    assert hash(connector) == hash(connector), "a connector is hashable"
    assert "the-secret" not in repr(connector) + url, "repr and URL hold no secret"
    try:
        pickled = pickle.dumps(connector)
    except TypeError as exc:
        if "pickle" not in str(exc):
            raise AssertionError("a connector that cannot be pickled says so") from exc
    else:
        assert pickle.loads(pickled) == connector, "a pickle gives back an equal connector"


@promised
async def check_one_server(make: MakeMeeting) -> None:
    """Connecting without a server is LinkRefused; a second server is AddressInUse and does not disturb the
    first; the address is free again once the server has closed. Where an address takes several servers, new
    clients spread over them.
    """
    meeting = make(None)
    async with SimpleServer(meeting.server, _echo, limits=QUICK) as server:
        connector = meeting.client(server.address)
        taken = meeting.server if meeting.server.dump_state() == server.address else None
        async with SimpleClient(connector, limits=QUICK) as client:
            if meeting.server.guarantees.many_servers:
                await _spread(meeting, connector, server)
            elif taken is not None:
                await refused(SimpleServer(taken), AddressInUse, "the address has one server")
            assert await at_most(10, client.request("hello"), "the first server is unharmed") == "hello"
    with raises(LinkRefused, "no server is there"):
        await connector.connect(Ear())
    text = await refused(SimpleClient(connector), ConnectTimeout, "no server came", 0.1)
    assert connector.dump_state() in text, "the error says whom it could not reach"
    async with SimpleServer(meeting.server, _echo, limits=QUICK) as server:
        async with SimpleClient(meeting.client(server.address), limits=QUICK) as client:
            assert await client.request("again") == "again"


async def _spread(meeting: Meeting, connector: Connector, first: SimpleServer) -> None:
    async with SimpleServer(meeting.server, _echo, limits=QUICK) as second:
        before = len(first.clients)
        async with contextlib.AsyncExitStack() as clients:
            for _ in range(6):
                await clients.enter_async_context(SimpleClient(connector, limits=QUICK))
            counts = len(first.clients) - before, len(second.clients)
            assert sum(counts) == 6
            assert min(counts) >= 2, f"new clients spread over two servers: {counts}"


@promised
async def check_clean_exit(make: MakeMeeting) -> None:
    """Leaving ``async with`` leaves no task and nothing in the system, whether the server or the clients
    leave first.
    """
    before = asyncio.all_tasks()
    for server_first in (True, False):
        meeting = make(None)
        server = await SimpleServer(meeting.server, _echo, limits=QUICK).init()
        count = 3 if meeting.server.guarantees.many_clients else 1
        clients = [SimpleClient(meeting.client(server.address), limits=QUICK) for _ in range(count)]
        for client in clients:
            await client.init()
            assert await client.request(1) == 1
        order = [server, *clients] if server_first else [*clients, server]
        for entity in order:
            await at_most(10, entity.close(), f"{entity!r} closes")
            assert entity.state == "closed"
        things = meeting.leftovers()
        assert not things, f"left behind in the system: {things}"
    left = asyncio.all_tasks() - before
    assert not left, f"tasks are left behind: {left}"
