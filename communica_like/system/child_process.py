"""ChildProcess: a child in a process group of its own, and how it is ended."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import IO, Final

from . import fork

_REAP_TIMEOUT: Final = 0.1  # seconds; a killed process rarely takes longer than one millisecond

_STDERR_TAIL: Final = 4096  # bytes
_READ_SIZE: Final = 65536
_LAST_READS: Final = 16  # a pipe holds 64 KiB, rarely 1 MiB; others may keep writing to it

_living: weakref.WeakSet[ChildProcess] = weakref.WeakSet()


class ChildProcess:
    """A running child process. It belongs to the running event loop, which is told of its end.

    The child leads a new session, so signals of a terminal do not reach it. Signals go to its process group:
    to the child, and to what it started and what stayed in the group. When the child has ended, the rest of
    the group is killed. The child is killed when this process exits, and when the event loop shuts down its
    async generators, as asyncio.run does. When this process itself is killed, the child sees the end of its
    pipes and nothing else.

    Args:
        command: the program and its arguments.
        env, cwd: as for subprocess.Popen.
        on_end: called once, on the loop, after the child has ended, unless ``kill`` was first.
        on_loop_end: called when the event loop ends before ``kill``; it has to call ``kill``.
        on_stderr: called on the loop with each piece of what the child writes to stderr. An exception goes to
            the loop's exception handler.

    Attributes:
        input, output: our ends of its stdin and stdout; unbuffered and non-blocking.
        stderr_tail: the last bytes that it wrote to stderr, at most 4 KiB.
        pid: its process id, and that of its group.
        ended: set when it has ended.
        killed: whether ``kill`` was called.

    Raises:
        OSError: it cannot be started. FileNotFoundError: there is no such program, or no such *cwd*.
    """

    input: IO[bytes]
    output: IO[bytes]

    def __init__(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str] | None,
        cwd: str | os.PathLike[str] | None,
        on_end: Callable[[], None],
        on_loop_end: Callable[[], None],
        on_stderr: Callable[[bytes], object] | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = command[0]
        self._on_end = on_end
        self._on_stderr = on_stderr
        self._ending = False
        self.killed = False
        self.stderr_tail = b""
        self._pidfd: int | None = None
        self.ended = asyncio.Event()
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(
            command, 0, None, pipe, pipe, pipe, env=env, cwd=cwd, start_new_session=True
        )
        files = (self._popen.stdin, self._popen.stdout, self._popen.stderr)
        self.input, self.output, self._errors = (file for file in files if file is not None)
        self.pid = self._popen.pid
        self._loop_end = self._until_loop_end(on_loop_end)
        _living.add(self)
        fork.reset_in_child(self, ChildProcess._disown)
        try:
            for file in (self.input, self.output, self._errors):
                os.set_blocking(file.fileno(), False)
            self._loop.add_reader(self._errors.fileno(), self._read_stderr)
            self._watch_end()
            _step(self._loop_end.__anext__())  # which makes the generator known to the loop
        except BaseException:
            self.kill()
            raise

    @property
    def returncode(self) -> int | None:
        """Its exit code; negative: the signal that killed it; None until it is reaped."""
        return self._popen.returncode

    def describe(self, otherwise: str) -> str:
        """Return a text that tells how it ended, or *otherwise* if it has not, and the tail of its stderr."""
        code = self.returncode
        if code is None:
            how = f"{otherwise}, and runs on"
        elif code >= 0:
            how = f"ended with exit code {code}"
        else:
            known = -code in set(signal.Signals)
            how = f"was killed by {signal.Signals(-code).name if known else f'signal {-code}'}"
        tail = self.stderr_tail.decode(errors="replace").strip()
        end = f"its stderr ends with:\n{tail}\n" if tail else "it wrote nothing to stderr"
        return f"the child process {self._name} (pid {self.pid}) {how}; {end}"

    async def end(self, timeout: float, output_over: asyncio.Event) -> None:
        """Wait for its end; then send SIGTERM to the group, wait, send SIGKILL; then reap it.

        Processes of the group that still hold its output when it has ended get SIGTERM and a wait, too. If
        this is cancelled, the caller has to ``kill``.

        Args:
            timeout: seconds of each wait.
            output_over: set when the output has been read up to its end.
        """
        if self.returncode is not None:
            return
        self._ending = True
        if not await _within(self.ended, timeout):
            self._signal(signal.SIGTERM)
            if not await _within(self.ended, timeout):
                self._signal(signal.SIGKILL)
                # The kernel may be slow to end it, and a setuid program is not ours to kill.
                await _within(self.ended, max(timeout, 1.0))
                self._reap()
                return
        elif not output_over.is_set():
            self._signal(signal.SIGTERM)
        await _within(output_over, timeout)
        self._reap()

    def kill(self) -> None:
        """Kill the group, reap the child and close all descriptors. Repeated calls do nothing.

        Blocks while the kernel ends the child, for at most 0.1 s. After that a thread reaps it.
        """
        if self.killed:
            return
        self.killed = True
        self._reap()
        self.ended.set()
        self._unwatch_end()
        for file in (self.input, self.output, self._errors):
            self.let_go(file)
        if not getattr(self._loop_end, "ag_running", True):
            _step(self._loop_end.aclose())

    def let_go(self, file: IO[bytes]) -> None:
        """Close one of its pipes, and stop watching it."""
        if not file.closed:
            if not self._loop.is_closed():
                self._loop.remove_reader(file.fileno())
                self._loop.remove_writer(file.fileno())
            file.close()

    def _read_stderr(self) -> bool:
        """Read some of its stderr; return whether there may be more now."""
        if self._errors.closed:  # by what *on_stderr* has called
            return False
        try:
            data = os.read(self._errors.fileno(), _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return False
        if not data:
            self._loop.remove_reader(self._errors.fileno())
            return False
        self.stderr_tail = (self.stderr_tail + data)[-_STDERR_TAIL:]
        if self._on_stderr is not None:
            try:
                self._on_stderr(data)
            except Exception as exc:
                context = {"message": "on_stderr of a child process failed", "exception": exc}
                self._loop.call_exception_handler(context)
        return True

    # -- its end

    def _watch_end(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux 5.3 or later, or no descriptor left
            name = f"communica_like child {self.pid}"
            threading.Thread(target=self._wait_in_thread, name=name, daemon=True).start()
        else:
            self._loop.add_reader(self._pidfd, self._has_ended)

    def _unwatch_end(self) -> None:
        if self._pidfd is not None:
            if not self._loop.is_closed():
                self._loop.remove_reader(self._pidfd)
            os.close(self._pidfd)
            self._pidfd = None

    def _wait_in_thread(self) -> None:
        try:
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        except AttributeError:  # macOS before Python 3.13; the rest of the group is not killed then
            self._popen.wait()
        except ChildProcessError:
            pass  # already reaped
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._has_ended)

    def _has_ended(self) -> None:
        self._unwatch_end()
        if self.ended.is_set():
            return
        self.ended.set()
        if not self._ending:
            self._reap()
        for _ in range(_LAST_READS):
            if not self._read_stderr():
                break
        if not self._ending:
            self.let_go(self._errors)
        self._on_end()

    def _signal(self, number: int) -> None:
        # Until the child is reaped, no other process can have its pid.
        if self._popen.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    def _reap(self) -> None:
        self._signal(signal.SIGKILL)
        if self._popen.returncode is None:
            try:
                self._popen.wait(_REAP_TIMEOUT)
            except subprocess.TimeoutExpired:
                threading.Thread(target=self._popen.wait, daemon=True).start()

    # -- the end of the event loop, and forks of this process

    async def _until_loop_end(self, on_loop_end: Callable[[], None]) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            if not self.killed:
                on_loop_end()

    def _disown(self) -> None:
        """Let a forked child neither keep the pipes open nor kill the process at its exit."""
        fork.disconnect(file.fileno() for file in (self.input, self.output, self._errors) if not file.closed)
        self._popen.returncode = self._popen.returncode or 0  # it is no child of that process


def _step(coroutine: Awaitable[None]) -> None:
    """Run a step of an async generator that does not wait."""
    with contextlib.suppress(StopIteration):
        coroutine.__await__().send(None)


async def _within(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return event.is_set()
    return True


@atexit.register
def _kill_all() -> None:
    for child in list(_living):
        child._reap()
