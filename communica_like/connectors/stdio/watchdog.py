"""Ends a child process with its parent, whatever the child's event loop does."""

from __future__ import annotations

import atexit
import os
import select
import signal
import threading
import time
from typing import Final

from ...system import fork

_EXIT_TIMEOUT: Final = 2.0  # seconds to end in an orderly way when the parent is dead
_POLL_INTERVAL: Final = 0.05


def watch_parent(reading: int, stop_timeout: float) -> None:
    """End this process, with its group if it leads one, when the parent ends.

    Once the parent is dead, the process has 2 s to end by itself. If only the other end of the pipe is
    closed, it has the time that a ChildLink gives it and a little more: the parent may be a shell whose own
    parent is dead. Then a thread kills it, even if the event loop is blocked. If the process ends by itself,
    its group gets SIGTERM.

    Args:
        reading: the pipe from the parent, or a socket. The caller may close it later.
        stop_timeout: seconds, as in StdioConnector.
    """
    watched = os.dup(reading)
    fork.add(watched)  # a forked child's copy would keep the parent from noticing the end of this process
    parent = os.getppid()
    name, arguments = f"communica_like parent {parent}", (parent, watched, 2 * stop_timeout + 2)
    threading.Thread(target=_watch, args=arguments, name=name, daemon=True).start()
    atexit.register(_end_group)


def _watch(parent: int, reading: int, timeout: float) -> None:
    poll = select.poll()
    poll.register(reading, getattr(select, "POLLRDHUP", 0))  # POLLHUP is always included
    try:
        process = os.pidfd_open(parent)
    except (AttributeError, OSError):  # not Linux 5.3 or later, or the parent is dead already
        pass
    else:
        poll.register(process, select.POLLIN)
    if os.getppid() == parent:
        poll.poll()
    deadline = time.monotonic() + timeout
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(_POLL_INTERVAL)
    if os.getppid() != parent:
        time.sleep(_EXIT_TIMEOUT)
    pid = os.getpid()
    if os.getpgrp() == pid:
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def _end_group() -> None:
    """Terminate the rest of the process group, as the parent does unless it is dead."""
    pid = os.getpid()
    if os.getpgrp() == pid:
        former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(pid, signal.SIGTERM)
        signal.signal(signal.SIGTERM, former or signal.SIG_DFL)
