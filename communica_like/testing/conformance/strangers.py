"""Checks of uninvited clients."""

from __future__ import annotations

from random import Random

from ...abc import Link
from ...exceptions import AuthenticationError
from .meeting import MakeMeeting, at_most, promised, reaches, refused
from .processes.stage import Stage


class _Ear:
    """The receiver of a stranger's link."""

    def __init__(self) -> None:
        self.broken = False

    def data_received(self, data: bytes) -> None:
        pass

    def link_writable(self) -> None:
        pass

    def link_broken(self, error: Exception | None) -> None:
        self.broken = True


@promised
async def check_strangers_between_processes(make: MakeMeeting) -> None:
    """A client without the server's authkey is rejected; garbage and silence disturb neither the server nor
    its clients.
    """
    meeting = make(b"right")
    async with Stage(meeting) as stage:
        several = meeting.server.guarantees.many_clients
        early = stage.client()
        if several:
            await early.init()
        for key in (b"wrong", None):
            stranger = stage.client(connector=make(key).client(stage.address))
            await refused(stranger, AuthenticationError, f"{key!r} is not b'right'")
        links: list[tuple[Link, _Ear]] = []
        try:
            for garbage in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", Random(5).randbytes(20_000), b"\xff" * 64):
                links.append(await _connect(stage))
                links[-1][0].send(garbage)
                broken = links[-1][1]
                await reaches(lambda broken=broken: broken.broken, "garbage is rejected")  # type: ignore[misc]
            if several:
                links.append(await _connect(stage))  # and stays silent
                assert await at_most(10, early.request("echo", "in"), "those who are in go on") == "in"
            async with stage.client() as late:
                promise = "the next one that has the authkey is served"
                assert await at_most(10, late.request("echo", "late"), promise) == "late"
                if not meeting.starts_server:
                    assert len(stage.entries("serving")) == 1, "by the same server"
        finally:
            for link, _ in links:
                link.abort()
            await early.close()
    async with Stage(make(None)) as stage:
        stranger = stage.client(connector=make(b"key").client(stage.address))
        await refused(stranger, AuthenticationError, "the server does not know this authkey")


async def _connect(stage: Stage) -> tuple[Link, _Ear]:
    ear = _Ear()
    return await at_most(10, stage.connector().connect(ear), "a stranger can connect"), ear
