"""A Link to a child process, over its stdin and stdout. It ends with the child, and the child with it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from ...abc import LinkReceiver, PeerIdentity
from ...exceptions import LinkError, PeerGone
from ...system.child_process import ChildProcess
from ..links.pipe import PipeLink
from .preface import Preface

__all__ = ["ChildLink"]

_EXIT_TIMEOUT: Final = 1.0  # seconds from the end of a pipe until the child is assumed to run on without it
_LAST_READS: Final = 64  # a pipe holds 1 MiB at most, and others may go on writing into it


class ChildLink(PipeLink):
    """Starts a child, and is the link to the entity that it runs.

    The break is reported when it is known how the child ended, after all that it wrote: as PeerGone, which
    names its exit code and holds the tail of its stderr. ``close`` waits for the child's end and sees to it,
    see ChildProcess.end; ``abort`` kills it. When the event loop shuts down its async generators, the child
    is killed.

    Args:
        receiver: gets what arrives.
        command, env, cwd: as for ChildProcess, which also says what is raised.
        address: what the identity of the peer says.
        patience: seconds of each wait for the child's end.
        on_stderr: called with what the child writes to stderr, and with what it wrote to stdout before its
            connector took that over.
    """

    def __init__(
        self,
        receiver: LinkReceiver,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None,
        cwd: str | None,
        address: str,
        patience: float,
        on_stderr: Callable[[bytes], object],
    ) -> None:
        self.receiver = receiver
        self.lingers = 2 * patience + 1
        self._patience = patience
        self._on_stderr = on_stderr
        self._preface = Preface()
        self._output_over = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._error: Exception | None = None
        self._without = "closed its stdout"  # and runs on
        self._told = False  # the receiver knows
        self._process = process = ChildProcess(
            command,
            env=env,
            cwd=cwd,
            on_end=self._child_ended,
            on_loop_end=self._loop_ended,
            on_stderr=on_stderr,
        )
        try:
            reading = os.dup(process.output.fileno())
            try:
                writing = os.dup(process.input.fileno())
            except BaseException:
                os.close(reading)
                raise
        except BaseException:
            process.kill()
            raise
        process.let_go(process.output)
        process.let_go(process.input)
        super().__init__(reading, writing, PeerIdentity("stdio", address, pid=process.pid))
        self.start()

    def send(self, data: bytes) -> None:
        if not self._preface.found:
            self._preface.sent(data)
        super().send(data)

    def close(self) -> None:
        if not self._closing:
            super().close()
            self._end()

    def abort(self) -> None:
        if not self._process.killed:
            self._process.kill()
            if self._ending is not None:
                self._ending.cancel()
            super().abort()

    # -- PipeLink's hooks

    def _received(self, data: bytes) -> None:
        preface = self._preface
        if not preface.found:
            try:
                wire = preface.received(data)
            except LinkError as exc:
                self._process.kill()
                self._break(exc)
                return
            if wire is None:
                return
            self._tell_stray(preface.stray)
            data = wire
        if data:
            self.receiver.data_received(data)

    def _tell_stray(self, data: bytes) -> None:
        if data:
            try:
                self._on_stderr(data)
            except Exception as exc:
                context = {"message": "on_stderr of a child process failed", "exception": exc}
                self._loop.call_exception_handler(context)

    def _refused(self) -> None:
        super()._refused()
        if not self._broken:
            # Most likely the child has ended; but it may go on, and then there is no use in it.
            self._without = "closed its stdin"
            self._timer = self._timer or self._loop.call_later(_EXIT_TIMEOUT, self._runs_on)

    def _report(self, error: Exception | None) -> None:
        self._error = error
        self._output_over.set()
        if self._process.ended.is_set():
            if self._ending is None:
                self._tell()
        elif self._timer is None and self._ending is None:
            self._timer = self._loop.call_later(_EXIT_TIMEOUT, self._runs_on)

    # -- the child's end

    def _child_ended(self) -> None:
        for _ in range(_LAST_READS):
            if self._broken or not self._read():
                break
        if self._ending is not None:
            return  # others of its group are still to end
        if self._output_over.is_set():
            self._tell()
        else:
            self._break(None)

    def _runs_on(self) -> None:
        if not self._process.ended.is_set() and self._ending is None:
            self._break(None)
            self._tell()
            self._end()

    def _end(self) -> None:
        if self._ending is None and not self._process.killed:
            name = f"communica_like end of child {self._process.pid}"
            ending = self._process.end(self._patience, self._output_over)
            self._ending = self._loop.create_task(ending, name=name)
            self._ending.add_done_callback(self._has_seen_to_it)

    def _has_seen_to_it(self, ending: asyncio.Task[None]) -> None:
        self._process.kill()
        self._break(None)
        self._tell()
        if not ending.cancelled():
            ending.result()

    def _tell(self) -> None:
        if self._told:
            return
        self._told = True
        if self._timer is not None:
            self._timer.cancel()
        if self._process.ended.is_set():
            self._process.kill()
        text = self._process.describe(self._without) + self._preface.describe()
        self.receiver.link_broken(self._error or PeerGone(text))

    def _loop_ended(self) -> None:
        self._process.kill()
        self._break(None)
