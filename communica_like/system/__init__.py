"""What the operating system keeps for a process: files, locks, children, descriptors that a fork copies.

Everything here serves one promise: whatever a process owns outside of itself ends with it, also after kill
-9, and nothing that a dead process left stops the next one.

The private directory (``state_directory``) is the one place where this user's processes find each other. A
process that must be the only one at an address takes a lock there: ``AddressLock`` for media that any number
of processes may open, ``SocketFile`` for Unix sockets. Both stand on ``LockFile``, flock(2), which the kernel
releases when the process ends. Other processes read from the lock who has it, as a ``ProcessId``: the pid,
its start time and its namespace, so that a reused pid is not mistaken for the owner.

What outlives a process by nature (kernel queues, named pipes) is entered in the ``registry`` before it is
made. ``reap`` removes what is registered by processes that have ended. Connectors call it in passing, so a
killed process is cleaned up by the next one that starts.

``ChildProcess`` is the opposite direction: a child that must not outlive this process. ``fork`` is for copies
of this process, which must not keep its connections and locks alive: descriptors are disconnected in the
child, and objects with locks or threads start anew.

Functions here block for milliseconds at most; waiting for children is asyncio's. Nothing here knows of links,
sessions or queues, and nothing is imported from above. On Windows only ``fork`` and ``ProcessId`` are used.
"""

from . import fork
from .address_lock import AddressLock
from .process_id import ProcessId
from .registry import Registration, reap, reap_in_passing, register, register_reused
from .state_directory import state_directory, state_path

__all__ = [
    "AddressLock",
    "ProcessId",
    "Registration",
    "fork",
    "reap",
    "reap_in_passing",
    "register",
    "register_reused",
    "state_directory",
    "state_path",
]
