"""Removal of what killed processes have left."""

from __future__ import annotations

from ..exceptions import LinkError
from .address_lock import remove_stale_locks
from .registry import remove_unowned


def reap() -> list[str]:
    """Remove what ended processes of this user left behind in the kernel and the file system.

    Connectors do this by themselves before they connect or listen. What a live process owns is not touched,
    and neither are queues that the user made, which stay until they are unlinked. Queues for which this
    process lacks the package (posix_ipc, sysv_ipc) are left to a process that has it. Any thread and any
    process may call it at any time.

    Returns:
        What was removed, one line each: its kind and its name, such as ``"posixmq /name"``.

    Raises:
        LinkError: the private directory cannot be used, or a stopped process has locked the registry.
    """
    try:
        removed = remove_unowned()
    except BlockingIOError as exc:
        raise LinkError(str(exc)) from exc
    remove_stale_locks()
    return removed


def reap_in_passing() -> None:
    """Do as ``reap``, but skip the registry while another process has locked it.

    Raises:
        LinkError: the private directory cannot be used.
    """
    try:
        remove_unowned(timeout=0)
    except BlockingIOError:
        pass
    remove_stale_locks()
