"""Checks of authentication, and of uninvited clients."""

from __future__ import annotations

from random import Random

from ...exceptions import AuthenticationError
from .links import Ear
from .meeting import MakeMeeting, at_most, promised, reaches, refused
from .processes.stage import Stage


@promised
async def check_authkey(make: MakeMeeting) -> None:
    """Two sides with the same authkey connect; with different ones, or only one, they get
    AuthenticationError, and connected clients are not disturbed.
    """
    for authkey in (b"right", None):
        await _reject(Stage(make(authkey), here=True), make)


@promised
async def check_strangers_between_processes(make: MakeMeeting) -> None:
    """A client without the server's authkey is rejected; garbage and silence disturb neither the server nor
    its clients.
    """
    for authkey in (b"right", None):
        await _reject(Stage(make(authkey)), make)


async def _reject(stage: Stage, make: MakeMeeting) -> None:
    meeting = stage.meeting
    several = meeting.server.guarantees.many_clients
    ears: list[Ear] = []
    async with stage:
        assert stage.connector().authkey == meeting.server.authkey
        early = stage.client()
        if several:
            await early.init()
        try:
            for key in {b"wrong", b"right", None} - {meeting.server.authkey}:
                stranger = stage.client(connector=make(key).client(stage.address))
                await refused(stranger, AuthenticationError, f"{key!r} is not {meeting.server.authkey!r}")
            if (server := stage.server_here) is not None:
                await reaches(lambda: len(server.clients) == several, "no trace of strangers")
            else:
                for garbage in (
                    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                    Random(5).randbytes(20_000),
                    b"\xff" * 64,
                ):
                    ears.append(await _connect(stage))
                    ears[-1].link.send(garbage)
                    await reaches(lambda: ears[-1].breaks > 0, "garbage is rejected")
            if several:
                ears.append(await _connect(stage))  # and stays silent
                assert await at_most(10, early.request("echo", "in"), "those who are in go on") == "in"
            async with stage.client() as late:
                promise = "the next one that has the authkey is served"
                assert await at_most(10, late.request("echo", "late"), promise) == "late"
                if not meeting.starts_server:
                    assert len(stage.entries("serving")) == 1, "by the same server"
        finally:
            for ear in ears:
                ear.link.abort()
            await early.close()


async def _connect(stage: Stage) -> Ear:
    ear = Ear()
    ear.link = await at_most(10, stage.connector().connect(ear), "a stranger can connect")
    return ear
