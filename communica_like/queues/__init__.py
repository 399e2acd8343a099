"""Queues between processes, for asyncio: put and get. Each is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ..abc import AsyncQueue, Guarantees
from ..system import reap

if TYPE_CHECKING:
    from .fifo import PipeQueue
    from .manager import ManagerQueue
    from .manager_host import QueueHost
    from .memory import MemoryQueue
    from .posixmq import PosixMQ
    from .process import ProcessLines
    from .sysvmq import SysVMQ

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
    "ManagerQueue": "manager",
    "MemoryQueue": "memory",
    "PipeQueue": "fifo",
    "PosixMQ": "posixmq",
    "ProcessLines": "process",
    "QueueHost": "manager_host",
    "SysVMQ": "sysvmq",
}


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
