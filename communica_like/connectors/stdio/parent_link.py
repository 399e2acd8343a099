"""The child's end of a stdio link, which takes stdin and stdout over."""

from __future__ import annotations

import asyncio
import fcntl
import io
import os
import stat
import sys
from collections.abc import Callable
from typing import Final

from ...abc import Link, LinkReceiver, Listener, PeerIdentity
from ...exceptions import AddressInUse, LinkError, PeerGone
from ..links.pipe import PipeLink
from .preface import OPENING
from .watchdog import watch_parent

_FIRST_PRIVATE: Final = 3

_taken = False


def listen_on_stdio(accept: Callable[[Link], LinkReceiver], address: str, stop_timeout: float) -> Listener:
    """Take stdin and stdout over, for a link to the parent. See StdioConnector.listen and StdioListener."""
    global _taken
    if _taken:
        raise AddressInUse("stdin and stdout are taken over already: a process serves them once")
    _check_pipe(0, "stdin")
    _check_pipe(1, "stdout")
    try:
        mixed = os.path.samestat(os.fstat(1), os.fstat(2))
    except OSError:  # there is no stderr
        mixed = False
    if mixed:
        raise LinkError("stdout and stderr are the same pipe, so messages would mix with what is printed")
    _taken = True
    reading, writing = (fcntl.fcntl(each, fcntl.F_DUPFD_CLOEXEC, _FIRST_PRIVATE) for each in (0, 1))
    _replace_standard_files()
    watch_parent(reading, stop_timeout)
    return StdioListener(ParentLink(reading, writing), accept, address)


def _check_pipe(descriptor: int, name: str) -> None:
    hint = "a client of StdioConnector(command) has to start this program"
    try:
        found = os.fstat(descriptor)
    except OSError as exc:
        raise LinkError(f"{name} is closed; {hint}") from exc
    if not stat.S_ISFIFO(found.st_mode) and not stat.S_ISSOCK(found.st_mode):
        what = "a terminal" if os.isatty(descriptor) else "neither a pipe nor a socket"
        raise LinkError(f"{name} is {what}; {hint}")


def _replace_standard_files() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # there is no stderr
        os.dup2(null, 1)
    if null > 2:
        os.close(null)
    # Flushed after the change, so that what was printed before stays out of the stream, too.
    for file in (sys.stdout, sys.__stdout__):
        if isinstance(file, io.TextIOWrapper) and not file.closed:
            file.flush()
            file.reconfigure(line_buffering=True)  # in order with what is written to stderr


class ParentLink(PipeLink):
    """A link over the descriptors that were stdin and stdout.

    Args:
        reading, writing: descriptors. They are non-blocking until they are closed, and then what they were
            before: other processes may have the same pipes open.

    Attributes:
        over: set when the link is broken.
        accepted: whether it has a receiver.
    """

    def __init__(self, reading: int, writing: int) -> None:
        self._were_blocking = {each: os.get_blocking(each) for each in (reading, writing)}
        for each in (reading, writing):
            os.set_blocking(each, False)
        super().__init__(reading, writing, PeerIdentity("stdio", "the parent process", pid=os.getppid()))
        self.over = asyncio.Event()
        self.accepted = False

    def _close_descriptor(self, descriptor: int) -> None:
        os.set_blocking(descriptor, self._were_blocking[descriptor])
        super()._close_descriptor(descriptor)

    def _report(self, error: Exception | None) -> None:
        self.over.set()
        if self.accepted:
            gone = PeerGone("the parent process has ended, or closed the connection")
            gone.__cause__ = error
            self.receiver.link_broken(gone)


class StdioListener(Listener):
    """Accepts one link, in the loop's next turn."""

    def __init__(self, link: ParentLink, accept: Callable[[Link], LinkReceiver], address: str) -> None:
        self.address = address
        self._link = link
        self._accept = accept
        self._pending = asyncio.get_running_loop().call_soon(self._accept_link)

    async def close(self) -> None:
        self._pending.cancel()
        if not self._link.accepted:
            self._link.abort()

    async def wait_over(self) -> None:
        await self._link.over.wait()

    def _accept_link(self) -> None:
        self._link.accepted = True
        self._link.receiver = self._accept(self._link)
        self._link.send(OPENING)
        self._link.start()
