"""Queues between processes, for asyncio: put and get.

A queue is one-way and has a name, a path or a key, by which any process opens it. Each stands on a medium
that the system or another process keeps: ``PosixMQ`` and ``SysVMQ`` on message queues of the kernel,
``PipeQueue`` on a named pipe, ``ManagerQueue`` on a manager's server, ``ProcessLines`` on the pipes of a
child process. ``MemoryQueue`` is the reference: it has the promises and no medium.

An item passes two steps. A serializer dumps it, and the bytes are checked against the medium's limits, before
anything waits. Then an *attempt* puts the bytes into the medium or takes them out: a plain call that never
blocks and raises ``queue.Full`` or ``queue.Empty``. A ``_nowait`` method is one attempt. ``put`` and ``get``
make an attempt at once and, if it was refused, wait in line (``aio.waiters``) until the medium says that
another one may succeed, and make it then, in the caller's own step. So nothing is ever removed on behalf of a
caller that may be cancelled, and a cancelled ``get`` loses nothing. ``base`` has this part, which all queues
share. What tells a waiter differs: a descriptor that the loop polls (POSIX queues, pipes), a thread that
sleeps in the kernel (System V), frames of the server (managers), the child's output.

The kernel shares a medium among processes; a queue's object shares it among the tasks of one loop, in order.

Queues know nothing of links and sessions; connectors over kernel queues use these classes as their medium.
Each class is imported when it is first used, since multiprocessing is slow to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..abc import AsyncQueue, Guarantees
from ..system import reap

if TYPE_CHECKING:
    from .manager.host import QueueHost
    from .manager.manager_queue import ManagerQueue
    from .memory import MemoryQueue
    from .pipe.pipe_queue import PipeQueue
    from .posixmq import PosixMQ
    from .process.process_lines import ProcessLines
    from .sysv.sysvmq import SysVMQ

__all__ = [
    "AsyncQueue",
    "Guarantees",
    "ManagerQueue",
    "MemoryQueue",
    "PipeQueue",
    "PosixMQ",
    "ProcessLines",
    "QueueHost",
    "SysVMQ",
    "reap",
]

_MODULES: Final = {
    "ManagerQueue": "manager.manager_queue",
    "MemoryQueue": "memory",
    "PipeQueue": "pipe.pipe_queue",
    "PosixMQ": "posixmq",
    "ProcessLines": "process.process_lines",
    "QueueHost": "manager.host",
    "SysVMQ": "sysv.sysvmq",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
