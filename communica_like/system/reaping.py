"""Removal of what killed processes have left."""

from __future__ import annotations

from ..exceptions import LinkError
from .address_lock import remove_stale_claims
from .registry import remove_unowned

__all__ = ["reap", "reap_in_passing"]


def reap() -> list[str]:
    """Remove what processes of this user that have ended left behind in the kernel and the file system.

    Nothing else is touched: neither what a live process owns, nor what the user made with queues of their
    own, which stay until they are unlinked. Connectors do this by themselves before they connect or listen.
    Queues for which this process lacks the package (posix_ipc, sysv_ipc) are left to one that has it.

    Returns:
        What was removed, one line each: its kind and its name.

    Raises:
        LinkError: the directory in which the ledger is cannot be used, or another process does this already,
            and has been stopped.

    Any thread and any process may call it at any time.
    """
    try:
        removed = remove_unowned()
    except BlockingIOError as exc:
        raise LinkError(str(exc)) from exc
    remove_stale_claims()
    return removed


def reap_in_passing() -> None:
    """Do as ``reap``, unless others are at it: those who are stopped meanwhile must hold up nobody.

    Raises:
        LinkError: the directory in which the ledger is cannot be used.
    """
    try:
        remove_unowned(patience=0)
    except BlockingIOError:
        pass
    remove_stale_claims()
