"""Queues between processes, for asyncio: put and get. Each is imported when it is first used."""

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
