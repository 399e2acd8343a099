"""QueueError: the exception of blocking kernel queues, as in ipcqueue."""

from __future__ import annotations

import contextlib
import errno as codes
from collections.abc import Iterator
from typing import Final

from ...exceptions import Closed, CommunicaError, MessageTooBig, QueueLimitReached


class QueueError(CommunicaError):
    """A queue operation failed. Its cause is the library's own exception.

    Args:
        errno: one of the constants below. Their values are the system's: use the names.
        msg: what happened; by default the meaning of *errno*.

    Attributes:
        errno, msg: as above.
    """

    ERROR: Final = -1
    """Anything else."""
    INVALID_VALUE: Final = codes.EINVAL
    """A malformed name, or a key, size, priority or message type out of range."""
    NO_PERMISSIONS: Final = codes.EACCES
    """The queue is another user's, or would be larger than this user may make one."""
    NO_SYSTEM_RESOURCES: Final = codes.ENOSPC
    """A limit of the kernel is reached; the message names it and says how to raise it."""
    INVALID_DESCRIPTOR: Final = codes.EBADF
    """The queue is closed; a System V queue may have been removed."""
    INTERRUPTED: Final = codes.EINTR
    """A signal arrived while the main thread waited in this call, and its handler returned."""
    TOO_BIG_MESSAGE: Final = codes.EMSGSIZE
    """The item does not fit into the queue, however empty."""
    TIMEOUT: Final = codes.ETIMEDOUT
    """Never raised: timeouts are queue.Full or queue.Empty."""
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
    QueueError.TIMEOUT: "Timed out",
    QueueError.DOES_NOT_EXIST: "The queue does not exist",
}

TRANSLATED: Final = (Closed, MessageTooBig, OSError, ValueError, OverflowError)
"""The exceptions that ``queue_error`` translates."""

_NUMBERS: Final = (
    (MessageTooBig, QueueError.TOO_BIG_MESSAGE),
    (Closed, QueueError.INVALID_DESCRIPTOR),
    ((ValueError, OverflowError), QueueError.INVALID_VALUE),
    (PermissionError, QueueError.NO_PERMISSIONS),
    (InterruptedError, QueueError.INTERRUPTED),
)


def queue_error(exc: Exception, gone: int = QueueError.DOES_NOT_EXIST) -> QueueError:
    """Return the QueueError for an exception of TRANSLATED.

    Args:
        gone: the errno for a queue that does not exist.

    Raises:
        TimeoutError: *exc* itself, which is not a queue's: the handler of an alarm may raise it.
        FileExistsError: *exc* itself.
    """
    if isinstance(exc, TimeoutError | FileExistsError):
        raise exc
    if isinstance(exc, QueueLimitReached):
        # One exception stands for limits of the user and of the system, which the kernel tells apart.
        kinds = {"ValueError": QueueError.INVALID_VALUE, "PermissionsError": QueueError.NO_PERMISSIONS}
        return QueueError(kinds.get(type(exc.__cause__).__name__, QueueError.NO_SYSTEM_RESOURCES), str(exc))
    numbers = (number for kinds, number in _NUMBERS if isinstance(exc, kinds))
    number = gone if isinstance(exc, FileNotFoundError) else next(numbers, QueueError.ERROR)
    return QueueError(number, str(exc))


@contextlib.contextmanager
def translated(gone: int = QueueError.DOES_NOT_EXIST) -> Iterator[None]:
    """Raise QueueError, as ``queue_error`` makes it, for what the block raises. For rare calls."""
    try:
        yield
    except TRANSLATED as exc:
        raise queue_error(exc, gone) from exc
