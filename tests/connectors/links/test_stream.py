from __future__ import annotations

import asyncio
import gc
import socket

import pytest

from communica_like import TcpConnector
from communica_like.abc import Link, LinkReceiver, PeerIdentity
from communica_like.connectors.links.stream import StreamLink, StreamListener
from communica_like.exceptions import PeerNotTrusted
from tests.connectors.recorder import Recorder, serving


async def linked(link: StreamLink) -> socket.socket:
    """Give *link* one end of a pair; return the other."""
    near, far = socket.socketpair()
    far.setblocking(False)
    await asyncio.get_running_loop().create_connection(lambda: link, sock=near)
    return far


def identify(transport: asyncio.BaseTransport) -> PeerIdentity:
    return PeerIdentity("test", "there")


class Noticing(Recorder):
    """It looks at the link when it is told that it is writable."""

    link: Link

    def __init__(self) -> None:
        super().__init__()
        self.writable_then: list[bool] = []

    def link_writable(self) -> None:
        self.writable_then.append(self.link.writable)
        super().link_writable()


async def test_the_receiver_may_be_exchanged() -> None:
    first, second = Recorder(), Recorder()
    link = StreamLink(lambda link: first, identify)
    with await linked(link) as far:
        far.send(b"one")
        await first.until(3)
        link.receiver = second
        far.send(b"two")
        await second.until(3)
        assert (first.data, second.data) == (b"one", b"two")
        far.close()
        await second.until_broken()
        assert second.error is None
        assert not first.broken.is_set()


async def test_it_says_when_it_holds_too_much() -> None:
    recorder = Noticing()
    link = recorder.link = StreamLink(lambda link: recorder, identify)
    with await linked(link) as far:
        size = 0
        while link.writable:
            link.send(bytes(64 * 1024))
            size += 64 * 1024
        loop = asyncio.get_running_loop()
        got = 0
        while got < size:
            got += len(await loop.sock_recv(far, 1 << 20))
        await asyncio.wait_for(recorder.writable.wait(), 40)
        assert recorder.writable_then == [True]
        link.abort()
        await recorder.until_broken()
        assert not link.writable


async def test_a_broken_link_takes_everything_in_silence() -> None:
    recorder = Recorder()
    link = StreamLink(lambda link: recorder, identify)
    with await linked(link):
        link.abort()
        await recorder.until_broken()
        for _ in range(10):
            link.send(b"x")
        link.close()
        link.abort()


async def test_many_links_share_a_buffer_and_mix_nothing() -> None:
    async with serving(TcpConnector("127.0.0.1", 0)) as served:
        links: list[Link] = []
        nears = [Recorder() for _ in range(8)]
        for near in nears:
            links.append(await TcpConnector.load_state(served.listener.address).connect(near))
            await served.link(len(links) - 1)
        for number, link in enumerate(links):
            link.send(bytes([number]) * 100_000)
        for number, far in enumerate(served.recorders):
            await far.until(100_000)
            [value] = set(far.data)
            assert far.data == bytes([value]) * 100_000
            assert value == number
        for link, near in zip(links, nears, strict=True):
            link.close()
            await near.until_broken()


async def test_who_is_not_trusted_is_not_accepted() -> None:
    def refuse(transport: asyncio.BaseTransport) -> PeerIdentity:
        raise PeerNotTrusted("not you")

    def accept(link: Link) -> LinkReceiver:
        pytest.fail("accepted")

    problems: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, problem: problems.append(problem))
    link = StreamLink(accept, refuse)
    with await linked(link) as far:
        assert isinstance(link.refused, PeerNotTrusted)
        while True:
            try:
                data = await asyncio.get_running_loop().sock_recv(far, 10)
            except ConnectionError:
                break
            assert data == b""
            break
    await asyncio.sleep(0)
    assert problems == []


@pytest.mark.parametrize("turns", range(6))
async def test_a_listener_that_closes_ends_what_it_has_accepted(turns: int) -> None:
    def accept(link: Link) -> LinkReceiver:
        link.abort()
        return Recorder()

    listener = await TcpConnector("127.0.0.1", 0).listen(accept)
    port = int(listener.address.rpartition(":")[2])
    gc.disable()  # it would close a connection that is forgotten
    try:
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setblocking(False)
            for _ in range(turns):
                await asyncio.sleep(0)
            await listener.close()
            try:
                got = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 1), 40)
            except ConnectionResetError:
                got = b""
            assert got == b""
    finally:
        gc.enable()


async def test_a_listener_whose_file_cannot_be_removed_closes_its_socket() -> None:
    def release() -> None:
        raise NotADirectoryError("no directory")

    sock = socket.create_server(("127.0.0.1", 0))
    listener = StreamListener("tcp://127.0.0.1", [sock], release)
    with pytest.raises(NotADirectoryError):
        await listener.close()
    assert sock.fileno() == -1
