"""Programs as text, run in processes of their own, and an address where they meet."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.process import Program

__all__ = ["PATIENCE", "SERVER", "Scene", "gone", "soon"]

PATIENCE = 40.0

# A server with an event loop. It prints what its handlers see.
SERVER = """
import asyncio, os, sys
from communica_like import Context, ReqError, RouteServer, connector_from

server = RouteServer(connector_from(sys.argv[1]), drain_timeout=2.0)
handler = server.routes.handler
notes = []
released = asyncio.Event()

@handler("echo")
def echo(data): return data

@handler("fail")
def fail(data): raise ReqError("no", code=7) if data == "politely" else ValueError(data)

@handler("slow")
async def slow(data):
    print("started", flush=True)
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        print("cancelled", flush=True)
        raise

@handler("note")
def note(data): notes.append(data)

@handler("notes")
def all_notes(_): return notes

@handler("hold")
async def hold(data): await released.wait()

@handler("release")
def release(_): released.set()

@handler("remaining")
def remaining(_, context): return context.remaining

@handler("call back")
async def call_back(data, context): return await server.request(*data, client_id=context.client_id)

@handler("pid")
def pid(_): return os.getpid()

async def main():
    async with server:
        print("serving", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


class Scene:
    """Starts scripts; at the end of its block all are killed, and nothing is left of them.

    Attributes:
        folder: a directory whose path is short enough for sockets in it.
        url: an address.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="cl-"))
        self.url = f"local://{self.folder}/socket"
        self._programs = contextlib.ExitStack()

    def start(self, text: str, *args: object) -> Program:
        """Run a program; its first argument is the address."""
        return self._programs.enter_context(Program("-c", text, self.url, *args))

    def serve(self) -> Program:
        """Start SERVER, and wait until it serves."""
        server = self.start(SERVER)
        assert server.line() == "serving"
        return server

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._programs.__exit__(kind, error, trace)
        shutil.rmtree(self.folder)


def soon(true: Callable[[], object]) -> None:
    """Poll until it is so."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def gone(name: str) -> bool:
    """Whether no thread has this name any more."""
    return all(thread.name != name for thread in threading.enumerate())
