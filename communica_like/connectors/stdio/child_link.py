"""A link to a child process, over its stdin and stdout. Both end together."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...abc import LinkReceiver, PeerIdentity
from ...exceptions import LinkError, PeerGone
from ...system import fork
from ...system.child_process import ChildProcess
from ..links.pipe import PipeLink
from .preface import Preface

_EXIT_TIMEOUT: Final = 1.0  # seconds from the end of a pipe until the child is assumed to run on
_LAST_READS: Final = 64  # a pipe holds 1 MiB at most, and other processes may keep writing


class ChildLink(PipeLink):
    """Starts a child process, and is the link to the entity that it runs.

    The break is reported once it is known how the child ended, after all that it wrote: as PeerGone, which
    names its exit code and holds the end of its stderr. ``close`` waits for the child's end and enforces it,
    see ChildProcess.end; ``abort`` kills it, and so does the end of the event loop.

    Args:
        receiver: gets what arrives.
        command, env, cwd: as for ChildProcess, which also says what is raised.
        stop_timeout: seconds of each wait for the child's end.
        on_stderr: called with what the child writes to stderr, and with what it wrote to stdout before its
            connector took that over.
    """

    def __init__(
        self, receiver: LinkReceiver, command: Sequence[str], env: Mapping[str, str] | None,
        cwd: str | os.PathLike[str] | None, stop_timeout: float, on_stderr: Callable[[bytes], object],
    ) -> None:
        self.receiver = receiver
        self.lingers = 2 * stop_timeout + 1
        self._stop_timeout = stop_timeout
        self._on_stderr = on_stderr
        self._preface = Preface()
        self._output_ended = asyncio.Event()
        self._stopping: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._cause = "closed its stdout"  # of the break, if the child runs on
        self._reported = False
        self._process = process = ChildProcess(
            command, env=env, cwd=cwd, on_end=self._child_ended, on_loop_end=self.abort, on_stderr=on_stderr
        )
        peer = PeerIdentity("stdio", shlex.join(command), pid=process.pid)
        super().__init__(process.output.fileno(), process.input.fileno(), peer)
        self.start()

    def send(self, data: bytes) -> None:
        if not self._preface.found:
            self._preface.sent(data)
        super().send(data)

    def close(self) -> None:
        if not self._closing:
            super().close()
            self._stop()

    def abort(self) -> None:
        if not self._process.killed:
            super().abort()
            self._process.kill()
            if self._stopping is not None:
                self._stopping.cancel()

    # -- PipeLink's hooks

    def _close_descriptor(self, descriptor: int) -> None:
        fork.discard(descriptor)
        self._process.let_go(self._process.output if descriptor == self._reading else self._process.input)

    def _received(self, data: bytes) -> None:
        preface = self._preface
        if not preface.found:
            try:
                stream = preface.received(data)
            except LinkError as exc:
                self._break(exc)
                self._process.kill()
                return
            if stream is not None and preface.stray:
                self._loop.call_soon(self._on_stderr, preface.stray)
            data = stream or b""
        if data:
            self.receiver.data_received(data)

    def _write_failed(self) -> None:
        super()._write_failed()
        if not self._broken:
            # Most likely the child has ended. If it runs on, it is of no use.
            self._cause = "closed its stdin"
            self._timer = self._timer or self._loop.call_later(_EXIT_TIMEOUT, self._check_running)

    def _report(self, error: Exception | None) -> None:
        self._error = error
        self._output_ended.set()
        if self._stopping is None and self._process.ended.is_set():
            self._report_end()
        elif self._stopping is None:
            self._timer = self._timer or self._loop.call_later(_EXIT_TIMEOUT, self._check_running)

    # -- the child's end

    def _child_ended(self) -> None:
        for _ in range(_LAST_READS):
            if self._broken or not self._read():
                break
        if self._stopping is not None:
            return  # others of its group may still run
        if self._output_ended.is_set():
            self._report_end()
        else:
            self._break(None)

    def _check_running(self) -> None:
        if not self._process.ended.is_set() and self._stopping is None:
            self._break(None)
            self._report_end()
            self._stop()

    def _stop(self) -> None:
        if self._stopping is None and not self._process.killed:
            name = f"communica_like end of child {self._process.pid}"
            stopping = self._process.end(self._stop_timeout, self._output_ended)
            self._stopping = self._loop.create_task(stopping, name=name)
            self._stopping.add_done_callback(self._stopped)

    def _stopped(self, stopping: asyncio.Task[None]) -> None:
        self._break(None)
        self._process.kill()
        self._report_end()
        if not stopping.cancelled():
            stopping.result()

    def _report_end(self) -> None:
        if self._reported:
            return
        self._reported = True
        if self._timer is not None:
            self._timer.cancel()
        if self._process.ended.is_set():
            self._process.kill()
        text = self._process.describe(self._cause) + self._preface.describe()
        self.receiver.link_broken(self._error or PeerGone(text))
