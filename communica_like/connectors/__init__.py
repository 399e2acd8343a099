"""How two sides find each other: one file for each kind of link. Each is imported when it is first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .registry import BUILT_IN, connector_from

if TYPE_CHECKING:
    from .amqp.connector import RmqConnector
    from .amqp.inbox.connector import RmqInboxConnector
    from .kernel.fifo import FifoConnector
    from .kernel.posixmq import PosixMQConnector
    from .kernel.sysv import SysVConnector
    from .local.connector import LocalConnector
    from .manager.connector import ManagerConnector
    from .memory import MemoryConnector
    from .stdio.connector import StdioConnector
    from .tcp import TcpConnector

__all__ = [
    "FifoConnector",
    "LocalConnector",
    "ManagerConnector",
    "MemoryConnector",
    "PosixMQConnector",
    "RmqConnector",
    "RmqInboxConnector",
    "StdioConnector",
    "SysVConnector",
    "TcpConnector",
    "connector_from",
]


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def __getattr__(name: str) -> Any:
    for module, connector in BUILT_IN.values():
        if connector == name:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
