"""The child's end of a stdio link, over pipes that are not the standard ones."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator

import pytest

from communica_like.abc import Link, LinkReceiver
from communica_like.exceptions import PeerGone
from tests.connectors.recorder import PATIENCE, Recorder

if sys.platform == "win32":
    pytest.skip("no pipes that an event loop can watch", allow_module_level=True)

from communica_like.connectors.stdio.parent_link import ParentLink, StdioListener
from communica_like.connectors.stdio.preface import OPENING


class Pipes:
    """What the parent has: ``write`` to, ``read`` from. And our ends, of which others have copies."""

    def __init__(self) -> None:
        self.stdin, self.write = os.pipe()
        self.read, self.stdout = os.pipe()
        self.link_ends = os.dup(self.stdin), os.dup(self.stdout)


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    pipes = Pipes()
    yield pipes
    for each in (pipes.stdin, pipes.write, pipes.read, pipes.stdout):
        try:
            os.close(each)
        except OSError:
            pass  # the test did
    for each in pipes.link_ends:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(each)


async def test_one_link_comes_in_when_listen_has_returned(pipes: Pipes) -> None:
    links: list[Link] = []
    recorder = Recorder()

    def accept(link: Link) -> LinkReceiver:
        links.append(link)
        return recorder

    listener = StdioListener(ParentLink(*pipes.link_ends), accept, "stdio://-")
    assert not links
    await asyncio.sleep(0)
    [link] = links
    assert (link.peer.transport, link.peer.pid) == ("stdio", os.getppid())
    link.send(b"hello")
    assert os.read(pipes.read, 100) == OPENING + b"hello"
    os.write(pipes.write, b"to you")
    assert await recorder.until(6) == b"to you"
    await listener.close()
    over = asyncio.create_task(listener.wait_over())
    await asyncio.sleep(0)
    assert not over.done(), "links outlive their listener"
    os.close(pipes.write)
    await recorder.until_broken()
    assert isinstance(recorder.error, PeerGone)
    await asyncio.wait_for(over, PATIENCE)


async def test_a_listener_that_is_closed_at_once(pipes: Pipes) -> None:
    def accept(link: Link) -> LinkReceiver:
        raise AssertionError("nothing is accepted any more")

    listener = StdioListener(ParentLink(*pipes.link_ends), accept, "stdio://-")
    await listener.close()
    await listener.close()
    await asyncio.wait_for(listener.wait_over(), PATIENCE)


@pytest.mark.parametrize("was_blocking", [True, False])
async def test_the_pipes_become_what_they_were(pipes: Pipes, was_blocking: bool) -> None:
    copies = pipes.stdin, pipes.stdout
    for each in copies:
        os.set_blocking(each, was_blocking)
    link = ParentLink(*pipes.link_ends)
    link.receiver = recorder = Recorder()
    link.accepted = True
    link.start()
    assert [os.get_blocking(each) for each in copies] == [False, False]
    link.abort()
    assert [os.get_blocking(each) for each in copies] == [was_blocking, was_blocking]
    await recorder.until_broken()
