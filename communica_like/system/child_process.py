"""A child process in a process group of its own: how it starts, how it ends, and what it says on stderr."""

from __future__ import annotations

import asyncio
import atexit
import os
import signal
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final

from .child_stderr import StderrTail

__all__ = ["ChildProcess"]

_BLOCKING_WAIT: Final = 0.1  # seconds; a killed process is rarely there for longer than one millisecond

_living: weakref.WeakSet[ChildProcess] = weakref.WeakSet()


class ChildProcess:
    """A started child, whose end the running event loop is told of. It belongs to that loop.

    It is the leader of a new session, so no signal of a terminal reaches it, and signals go to it and to all
    that it started and that did not leave its process group. What is left of the group when the child has
    ended is killed. The child is killed when this process exits; when this process is killed itself, all
    that the child notices is the end of its pipes.

    Args:
        command: the program and its arguments.
        env, cwd: as for subprocess.Popen.
        on_end: called once, on the loop, when the child has ended by itself or while ``end`` waits.
        on_stderr: called on the loop with what the child writes to stderr, in pieces.

    Attributes:
        input, output: our ends of its stdin and stdout; unbuffered and non-blocking.
        pid: its process id, and that of its group.
        ended: set when it has ended.

    Raises:
        OSError: it cannot be started; FileNotFoundError if there is no such program, or no such *cwd*.
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
        on_stderr: Callable[[bytes], object] | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = command[0]
        self._on_end = on_end
        self._ending = False
        self._pidfd: int | None = None
        self.ended = asyncio.Event()
        pipe = subprocess.PIPE
        self._popen = subprocess.Popen(
            command, 0, None, pipe, pipe, pipe, env=env, cwd=cwd, start_new_session=True
        )
        files = (self._popen.stdin, self._popen.stdout, self._popen.stderr)
        self.input, self.output, self._errors = (file for file in files if file is not None)
        self.pid = self._popen.pid
        _living.add(self)
        try:
            for file in (self.input, self.output, self._errors):
                os.set_blocking(file.fileno(), False)
            self._stderr = StderrTail(self._errors.fileno(), on_stderr)
            self._watch_end()
        except BaseException:
            self.kill()
            raise

    @property
    def returncode(self) -> int | None:
        """As in subprocess.Popen: None until it was reaped; negative: the signal that killed it."""
        return self._popen.returncode

    @property
    def stderr_tail(self) -> bytes:
        """The last bytes that it wrote to stderr, 4 KiB at most."""
        return self._stderr.tail

    def describe(self, otherwise: str) -> str:
        """Return how it ended, or *otherwise* if it has not, and the tail of its stderr."""
        code = self.returncode
        if code is None:
            how = f"{otherwise}, and runs on"
        elif code >= 0:
            how = f"ended with exit code {code}"
        else:
            try:
                how = f"was killed by {signal.Signals(-code).name}"
            except ValueError:
                how = f"was killed by signal {-code}"
        tail = self.stderr_tail.decode(errors="replace").strip()
        return f"the child process {self._name} (pid {self.pid}) {how}" + (
            f"; its stderr ends with:\n{tail}\n" if tail else "; it wrote nothing to stderr"
        )

    async def end(self, patience: float, output_over: asyncio.Event) -> None:
        """Wait for its end, and see to it: SIGTERM to the group, a wait, SIGKILL; then reap it.

        Others of the group who still hold its output when it has ended get SIGTERM and a wait, too.

        Args:
            patience: seconds of each wait.
            output_over: set when the output has been read up to its end.

        If it is cancelled, what is not done is left to ``kill``.
        """
        if self.returncode is not None:
            return
        self._ending = True
        if not await _within(self.ended, patience):
            self._signal(signal.SIGTERM)
            if not await _within(self.ended, patience):
                self._signal(signal.SIGKILL)
                # It cannot refuse, but the kernel may be slow, and a setuid program is not ours to kill.
                await _within(self.ended, max(patience, 1.0))
                self._reap()
                return
        elif not output_over.is_set():
            self._signal(signal.SIGTERM)
        await _within(output_over, patience)
        self._reap()

    def kill(self) -> None:
        """Kill the group now, reap the child, and let go of all descriptors. Does no harm when repeated."""
        self._reap()
        self.ended.set()
        self._unwatch_end()
        self.let_go(self.input)
        self.let_go(self.output)
        self.let_go(self._errors)

    def let_go(self, file: IO[bytes]) -> None:
        """Close one of its pipes, which the loop may watch."""
        if not file.closed:
            if not self._loop.is_closed():
                self._loop.remove_reader(file.fileno())
                self._loop.remove_writer(file.fileno())
            file.close()

    # -- its end

    def _watch_end(self) -> None:
        try:
            self._pidfd = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not Linux, or an old one, or no descriptor left
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
        except AttributeError:  # macOS before Python 3.13; what is left of the group is spared then
            self._popen.wait()
        except ChildProcessError:
            pass  # reaped already
        try:
            self._loop.call_soon_threadsafe(self._has_ended)
        except RuntimeError:
            pass  # the loop is closed

    def _has_ended(self) -> None:
        self._unwatch_end()
        if self.ended.is_set():
            return
        self.ended.set()
        if not self._ending:
            self._reap()
        self._stderr.drain()
        if not self._ending:
            self.let_go(self._errors)
        self._on_end()

    def _signal(self, number: int) -> None:
        # Until the child is reaped, its number is no other's.
        if self._popen.returncode is None:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):
                pass

    def _reap(self) -> None:
        self._signal(signal.SIGKILL)
        if self._popen.returncode is None:
            try:
                self._popen.wait(_BLOCKING_WAIT)
            except subprocess.TimeoutExpired:
                threading.Thread(target=self._popen.wait, daemon=True).start()

    # -- the end, and forks, of this process

    def _disown(self, null: int) -> None:
        for file in (self.input, self.output, self._errors):
            if not file.closed:
                # Not closed: the number stays with the object, which would close another's file later.
                os.dup2(null, file.fileno(), inheritable=False)
        # It is nobody that this process could signal or wait for.
        self._popen.returncode = self._popen.returncode or 0


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


def _disown_all() -> None:
    """A forked copy of this process must not keep the pipes of children open, nor kill them at its exit."""
    if _living:
        null = os.open(os.devnull, os.O_RDWR)
        for child in list(_living):
            child._disown(null)
        os.close(null)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)
