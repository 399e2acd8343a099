"""QueueError: what went wrong with a queue of the kernel."""

from __future__ import annotations

import errno as codes
from typing import Final

from ...exceptions import Closed, CommunicaError, MessageTooBig, QueueLimitReached

__all__ = ["TRANSLATED", "QueueError", "queue_error"]


class QueueError(CommunicaError):
    """A queue refused. Its cause is the library's own exception, which says the same in other words.

    Args:
        errno: one of the constants below. Their values are the system's: use the names.
        msg: what happened; None: what the constant stands for.

    Attributes:
        errno, msg: as above.
    """

    ERROR: Final = -1
    """Anything else."""
    INVALID_VALUE: Final = codes.EINVAL
    """A name, a key, a size, a priority or a message type that cannot be."""
    NO_PERMISSIONS: Final = codes.EACCES
    """The queue is another user's; or it is to be larger than this user may make one."""
    NO_SYSTEM_RESOURCES: Final = codes.ENOSPC
    """One of the kernel's limits is reached; the message says which, and how to raise it."""
    INVALID_DESCRIPTOR: Final = codes.EBADF
    """The queue is closed; or, a System V queue, removed."""
    INTERRUPTED: Final = codes.EINTR
    """A signal came while the main thread waited in this call, and its handler returned."""
    TOO_BIG_MESSAGE: Final = codes.EMSGSIZE
    """The item does not fit into the queue, however empty."""
    TIMEOUT: Final = codes.ETIMEDOUT
    """Never raised: it is queue.Full or queue.Empty."""
    DOES_NOT_EXIST: Final = codes.ENOENT
    """There is no such queue."""

    def __init__(self, errno: int, msg: str | None = None) -> None:
        super().__init__(errno, msg)
        self.errno = errno
        self.msg: str = msg or _TEXTS.get(errno, _TEXTS[self.ERROR])

    def __str__(self) -> str:
        return f"{codes.errorcode.get(self.errno, self.errno)}, {self.msg}"


_TEXTS: Final = {
    QueueError.ERROR: "Error",
    QueueError.INVALID_VALUE: "Invalid value",
    QueueError.NO_PERMISSIONS: "No permissions",
    QueueError.NO_SYSTEM_RESOURCES: "No system resources",
    QueueError.INVALID_DESCRIPTOR: "Invalid queue descriptor",
    QueueError.INTERRUPTED: "Interrupted by a signal",
    QueueError.TOO_BIG_MESSAGE: "The item is too big",
    QueueError.TIMEOUT: "The time is over",
    QueueError.DOES_NOT_EXIST: "The queue does not exist",
}

TRANSLATED: Final = (Closed, MessageTooBig, OSError, ValueError, OverflowError)
"""What ``queue_error`` knows."""


def queue_error(exc: Exception, gone: int = QueueError.DOES_NOT_EXIST) -> QueueError:
    """Return the QueueError for one of TRANSLATED.

    Args:
        gone: the errno for a queue that is not there.

    Raises:
        TimeoutError: *exc*. No queue raises it, but the handler of an alarm may.
    """
    if isinstance(exc, TimeoutError):
        raise exc
    number = QueueError.ERROR
    if isinstance(exc, QueueLimitReached):
        # It makes no difference between what a user may not and what nobody may; the kernel does.
        kinds = {"ValueError": QueueError.INVALID_VALUE, "PermissionsError": QueueError.NO_PERMISSIONS}
        number = kinds.get(type(exc.__cause__).__name__, QueueError.NO_SYSTEM_RESOURCES)
    else:
        for kind, its_number in (
            (MessageTooBig, QueueError.TOO_BIG_MESSAGE),
            (Closed, QueueError.INVALID_DESCRIPTOR),
            (ValueError, QueueError.INVALID_VALUE),
            (OverflowError, QueueError.INVALID_VALUE),
            (PermissionError, QueueError.NO_PERMISSIONS),
            (FileNotFoundError, gone),
            (InterruptedError, QueueError.INTERRUPTED),
        ):
            if isinstance(exc, kind):
                number = its_number
                break
    return QueueError(number, str(exc))
