"""A child that does not outlive its parent, whatever its event loop does."""

from __future__ import annotations

import atexit
import os
import select
import signal
import threading
import time
from typing import Final

from ...system import fork

__all__ = ["watch_parent"]

_GRACE: Final = 2.0  # seconds to end in an orderly way when the parent is dead
_LOOK: Final = 0.05


def watch_parent(wire: int, patience: float) -> None:
    """From now on, when the parent ends, this process ends too, with its group if it leads one.

    When the parent is dead it has 2 s to end by itself. When the other end of the wire is closed, and the
    parent lives, it has as long as a ChildLink gives it, and a little more: the parent may be a shell, whose
    own parent is gone. Then a thread kills it, even if the event loop is blocked. When it ends by itself, its
    group gets SIGTERM.

    Args:
        wire: the reading end of the pipe, or a socket, from the parent. It may be closed later.
        patience: seconds, as in StdioConnector.
    """
    watched = os.dup(wire)
    fork.add(watched)  # in a forked child it would keep the parent from noticing the end of this process
    parent = os.getppid()
    arguments = (parent, watched, 2 * patience + 2)
    threading.Thread(
        target=_watch, args=arguments, name=f"communica_like parent {parent}", daemon=True
    ).start()
    atexit.register(_end_group)


def _watch(parent: int, wire: int, patience: float) -> None:
    poll = select.poll()
    poll.register(wire, getattr(select, "POLLRDHUP", 0))  # beside POLLHUP, which cannot be left out
    try:
        process = os.pidfd_open(parent)
    except (AttributeError, OSError):  # not Linux, or an old one; or it is gone already
        pass
    else:
        poll.register(process, select.POLLIN)
    if os.getppid() == parent:
        poll.poll()
    deadline = time.monotonic() + patience
    while os.getppid() == parent and time.monotonic() < deadline:
        time.sleep(_LOOK)
    if os.getppid() != parent:
        time.sleep(_GRACE)
    pid = os.getpid()
    if os.getpgrp() == pid:
        os.killpg(pid, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)


def _end_group() -> None:
    """Do what the parent does when this process has ended, but may not live to do: end what is left."""
    pid = os.getpid()
    if os.getpgrp() == pid:
        former = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(pid, signal.SIGTERM)
        signal.signal(signal.SIGTERM, former or signal.SIG_DFL)
