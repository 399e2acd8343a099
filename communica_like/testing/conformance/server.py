"""The server program of the checks: ``python -m communica_like.testing.conformance.server URL``.

A check starts it, with ``processes.settings`` in an environment variable. The program writes nothing to
stdout, which may be its link; it reports to a journal.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from ...abc import Connector
from ...connectors import connector_from
from ...entities import Context, RouteServer
from ...exceptions import CommunicaError, ReqError, RequestTimeout, RespError
from ...serializers import RawSerializer
from .processes.journal import JournalWriter
from .processes.settings import Settings


class ConformanceServer(RouteServer):
    """A server with the handlers that checks need.

    Args:
        connector: where clients find it.
        settings: see Settings.

    Attributes:
        journal: gets its reports, and stays open.
    """

    def __init__(self, connector: Connector, settings: Settings) -> None:
        super().__init__(connector, limits=settings.limits, drain_timeout=settings.drain_timeout)
        self.journal = JournalWriter(settings.journal)
        self._gate_file = settings.gate
        self._gate: asyncio.Task[None] | None = None
        add = self.routes.add_route
        add("echo", lambda data: data)
        add("later", self._echo_later)
        add("pid", lambda data: os.getpid())
        add("memory", lambda data: _memory())
        add("journal", self._note)
        add("held", self._hold)
        add("work", self._work)
        add("fail", self._fail_as_asked)
        add("wait", self._wait)
        add("gate", self._wait_for_gate)
        add("block", self._block)
        add("call back", self._call_back)
        add("pester", self._pester)
        add("flood", self._flood)
        add("take", lambda data: str(len(data)).encode(), RawSerializer())
        add("give", lambda data: bytes(int(data)), RawSerializer())

    async def init(self, timeout: float | None = None) -> Self:
        await super().init(timeout)
        self.journal.write("serving", [os.getpid(), self.address])
        return self

    async def close(self, timeout: float | None = None) -> None:
        await super().close(timeout)
        if self._gate is not None:
            self._gate.cancel()

    async def _echo_later(self, number: int) -> int:
        await asyncio.sleep(0.001 * (number % 11))
        return number

    def _note(self, data: list[Any]) -> None:
        """Report a value: [event, value, padding]."""
        self.journal.write(data[0], data[1])

    async def _hold(self, data: list[Any]) -> None:
        """Report a value once the gate is open."""
        await self._open()
        self._note(data)

    async def _wait_for_gate(self, name: str) -> str:
        """Return once the gate is open."""
        self.journal.write("started", name)
        await self._open()
        self.journal.write("ended", name)
        return name

    async def _open(self) -> None:
        if self._gate is None:
            self._gate = asyncio.get_running_loop().create_task(self._watch_gate())
        await asyncio.shield(self._gate)

    async def _watch_gate(self) -> None:
        while not self._gate_file.exists():  # noqa: ASYNC110
            await asyncio.sleep(0.01)

    def _work(self, data: list[Any]) -> int:
        """Report a request, [who, number], and return the number plus 1."""
        who, number = data
        self.journal.write(f"work {who}", number)
        return int(number) + 1

    def _fail_as_asked(self, data: list[Any]) -> None:
        kind, number = data
        if kind == "req":
            raise ReqError(f"req {number}", number)
        if kind == "resp":
            raise RespError(f"resp {number}", -number)
        raise ZeroDivisionError(number)

    async def _wait(self, name: str, context: Context) -> None:
        """Wait for ever."""
        self.journal.write("remaining", context.remaining)
        self.journal.write("started", name)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.journal.write("cancelled", name)
            raise

    def _block(self, data: None) -> str:
        """Block the event loop until the gate is open."""
        self.journal.write("started", "block")
        while not self._gate_file.exists():
            time.sleep(0.01)
        return "blocked"

    async def _call_back(self, data: list[Any], context: Context) -> Any:
        """Make a request to the requesting client: [route, data]."""
        try:
            return await self.request(data[0], data[1], client_id=context.client_id)
        except RequestTimeout:
            # No promise says which ends first, this or the request in hand.
            await asyncio.Event().wait()

    async def _pester(self, data: list[Any], context: Context) -> None:
        """Make a request to the requesting client, and report its error: [name, route, data]."""
        try:
            await self.request(data[1], data[2], client_id=context.client_id)
        except CommunicaError as exc:
            self.journal.write("outcome", [data[0], type(exc).__name__, getattr(exc, "sent", None)])
        else:
            self.journal.write("outcome", [data[0], "answered", None])

    async def _flood(self, count: int, context: Context) -> int:
        """Throw 1 to *count* at the requesting client."""
        for number in range(1, count + 1):
            await self.throw("thrown", number, client_id=context.client_id)
        return count


def _memory() -> int:
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(make: Callable[..., Connector] = connector_from) -> None:
    """Serve the URL in the program's first argument until a signal arrives.

    Args:
        make: called with the URL, and ``authkey=`` if there is one, returns the connector.
    """
    settings = Settings.of_this_process()
    # Handlers fail on request.
    logging.getLogger("communica_like.handlers").setLevel(logging.CRITICAL)
    server = ConformanceServer(make(sys.argv[1], **settings.secrets), settings)
    asyncio.run(server.run())
    server.journal.write("stopped", os.getpid())


if __name__ == "__main__":
    main()
