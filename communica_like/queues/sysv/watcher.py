"""Watcher: a thread that waits for messages of a System V queue without removing any."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable
from typing import Any

from ...features import optional_package


class Watcher:
    """A thread that sleeps in msgrcv(2) until there is a message of one type.

    A System V queue has no descriptor to poll. But a message wakes a receiver whose buffer is too small for
    it, which then fails with E2BIG, and the message stays in the queue: see msgrcv(2) on MSG_NOERROR. So this
    thread receives with an empty buffer. The one exception is an empty message, for which that buffer is
    large enough: it is removed from the queue and handed over.

    The thread sleeps until the next message or the end of the process, even if no caller waits any more,
    since nothing but a message wakes it without a side effect. It is a daemon thread.

    Args:
        key: of the queue.
        message_type: as for msgrcv(2).
        tell: called in the thread when there may be a message, or when the queue was removed. Its arguments
            are the loop of ``arm``, the message type, and the type of a removed empty message, or 0.
    """

    def __init__(
        self, key: int, message_type: int, tell: Callable[[asyncio.AbstractEventLoop, int, int], None]
    ) -> None:
        self._sysv_ipc = optional_package("sysv_ipc", "sysvmq")
        self._handle: Any = self._sysv_ipc.MessageQueue(key, max_message_size=0)
        self._message_type = message_type
        self._tell = tell
        self._armed = threading.Event()
        self._ended = False
        self._thread = threading.Thread(
            target=self._run, name=f"communica_like sysv {key:#x} type {message_type}", daemon=True
        )
        self._thread.start()

    def arm(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell *loop* once of a message that is there or comes next."""
        self._loop = loop
        self._armed.set()

    def end(self) -> None:
        """Stop telling. The thread ends with the next message."""
        self._ended = True
        self._armed.set()

    def _run(self) -> None:
        gone = False
        while not gone:
            self._armed.wait()
            self._armed.clear()
            if self._ended:
                return
            empty_type = 0
            try:
                _, empty_type = self._handle.receive(True, self._message_type)
            except self._sysv_ipc.ExistentialError:
                gone = True
            except OSError as exc:
                gone = exc.errno != errno.E2BIG
            # A removed message is handed over even after the end.
            if empty_type or not self._ended:
                self._tell(self._loop, self._message_type, empty_type)
