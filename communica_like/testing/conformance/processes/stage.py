"""Stage: the server of a check, in a process of its own or in this one, and its clients."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path
from subprocess import DEVNULL
from types import TracebackType
from typing import Any, Self
from unittest import mock

from ....abc import Connector
from ....entities import RouteClient, RouteTable
from ....wire.limits import Limits
from ..meeting import IMPATIENT, QUICK, Meeting, reaches
from ..server import ConformanceServer
from .child import Child, gone, lives
from .journal import JournalReader
from .settings import VARIABLE, Settings

_PACKAGE = Path(__file__).parents[4]
_START = 20.0  # seconds, for a process to start on a busy machine


class Stage:
    """A server process, from ``async with`` to its end, with its clients.

    At the end all remaining processes are told to stop; it is an AssertionError if one does not. Where a
    client's connector starts the server, it starts with the first client. Processes find their settings in
    the environment of this one, which has them until the end.

    Args:
        meeting: gives the connectors; of the server's only the URL and authkey are used.
        limits: of the server, and of clients.
        drain_timeout: of the programs, in seconds.
        here: whether the server runs in this process instead.
    """

    def __init__(
        self, meeting: Meeting, limits: Limits = QUICK, drain_timeout: float = 10.0, *, here: bool = False
    ) -> None:
        self.meeting = meeting
        self.limits = limits
        self.here = here
        self.address = meeting.server.dump_state()
        self._drain_timeout = drain_timeout
        self._children: list[Child] = []
        self._server: Child | None = None
        self.server_here: ConformanceServer | None = None

    async def __aenter__(self) -> Self:
        # A short path: sockets may be put into it.
        self.folder = Path(tempfile.mkdtemp(prefix="cl-kit-"))
        authkey = self.meeting.server.authkey
        settings = Settings(str(self.folder), authkey, self.limits, self._drain_timeout)
        self._gate = settings.gate
        self._journal = JournalReader(settings.journal)
        paths = filter(None, [str(_PACKAGE), os.environ.get("PYTHONPATH")])
        variables = {VARIABLE: settings.encode(), "PYTHONPATH": os.pathsep.join(paths)}
        self._environment = mock.patch.dict(os.environ, variables)
        self._environment.start()
        try:
            if self.here:
                self.server_here = ConformanceServer(self.meeting.server, settings)
                self.address = (await self.server_here.init()).address
            else:
                await self.start()
        except BaseException:
            self._clear()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.stderr:
            error.add_note(f"stderr of the kit's programs:\n{self.stderr[-4000:]}")
        try:
            # With a signal, so that they leave nothing behind.
            for child in self._children:
                child.send_signal(signal.SIGTERM)
            if self.server_here is not None:
                await self.server_here.close()
            await reaches(lambda: not self._alive(), "processes that are told to stop end")
        except AssertionError:
            if error is None:
                raise
        finally:
            self._clear()

    @property
    def pid(self) -> int:
        """The process id of the server that started last."""
        serving = self.entries("serving")
        assert serving, "there is a server"
        return int(serving[-1][0])

    @property
    def stderr(self) -> str:
        """What programs wrote to stderr, except servers that a client's connector started."""
        errors = self.folder / "stderr"
        return errors.read_text("utf-8", "replace") if errors.exists() else ""

    # -- the server

    async def start(self) -> None:
        """Start a server and wait until it serves. Does nothing if clients start it."""
        if self.meeting.starts_server:
            return
        known = len(self.entries("serving"))
        server = self._server = self._run("server", self.address)

        def started() -> bool:
            return server.ended or len(self.entries("serving")) > known

        await reaches(started, "the server starts", _START)
        assert not server.ended, f"the server starts at {self.address}; {self.stderr}"
        self.address = self.entries("serving")[-1][1]

    def run_server(self) -> Child:
        """Start another server process at the same address, which may fail."""
        return self._run("server", self.address)

    async def kill(self) -> None:
        """Kill the server with SIGKILL and wait for its end."""
        if self._server is not None:
            self._server.kill()
        else:
            os.kill(self.pid, signal.SIGKILL)
            await gone(self.pid, "a killed server ends")

    def terminate(self) -> None:
        """Send SIGTERM to the server."""
        os.kill(self.pid, signal.SIGTERM)

    async def stopped(self) -> None:
        """Wait until the server has ended by itself; fail unless its exit code is 0."""
        promise = "a server that is told to stop ends"
        if self._server is not None:
            code = await self._server.end(promise)
            assert code == 0, f"it ends with exit code 0, not {code}; stderr: {self.stderr}"
        else:
            await gone(self.pid, promise)
        assert self.pid in self.entries("stopped"), "run() returns"

    async def stop(self) -> None:
        """End the server with SIGTERM, unless it has ended with its client."""
        if self.server_here is not None:
            await self.server_here.close()
            return
        if lives(self.pid) and not self.meeting.starts_server:
            self.terminate()
        await self.stopped()

    # -- clients

    def connector(self) -> Connector:
        """Return the clients' connector."""
        return self.meeting.client(self.address)

    def client(self, table: RouteTable | None = None, connector: Connector | None = None) -> RouteClient:
        """Return a client of the server in this process."""
        return RouteClient(
            connector or self.connector(),
            table,
            limits=self.limits,
            backoff=IMPATIENT,
            drain_timeout=self._drain_timeout,
        )

    def run_client(self, *arguments: object) -> Child:
        """Start a client process; see ``conformance.client`` for its arguments."""
        return self._run("client", self.connector().dump_state(), *arguments)

    # -- reports

    def entries(self, event: str) -> list[Any]:
        """Return the values of all entries of *event* in the journal, in order."""
        return self._journal.all(event)

    async def reports(self, event: str, value: Any, promise: str, seconds: float | None = None) -> None:
        """Wait until the journal has that entry; fail with *promise* after the time limit."""
        await reaches(lambda: value in self.entries(event), promise, seconds)

    def open_gate(self) -> None:
        """Release handlers of "held", "gate" and "block"."""
        self._gate.touch()

    def _run(self, role: str, *arguments: object) -> Child:
        command = [*self.meeting.program(role), *map(str, arguments)]
        with open(self.folder / "stderr", "ab") as errors:
            child = Child(command, stdin=DEVNULL, stdout=DEVNULL, stderr=errors)
        self._children.append(child)
        return child

    def _alive(self) -> list[int]:
        """Return the processes that have not ended."""
        pids = [child.pid for child in self._children if not child.ended]
        if self.meeting.starts_server:
            pids += [pid for pid, _ in self.entries("serving") if lives(pid)]
        return pids

    def _clear(self) -> None:
        for child in self._children:
            child.kill()
        for pid in self._alive():
            os.kill(pid, signal.SIGKILL)
        if self.server_here is not None:
            self.server_here.journal.close()
        self._environment.stop()
        shutil.rmtree(self.folder)
