"""Connectors: how a client and a server find each other, and get links.

A connector (``abc.Connector``) is an immutable value: an address and secrets. It can be written as a URL,
compared and pickled, and holds no socket. Its two methods open what a session runs over:

- ``listen`` claims the address, for one live server at a time, and passes each new link to a callback;
- ``connect`` returns a new link, or raises LinkRefused if no server is there.

A link (``abc.Link``) is a two-way stream of bytes, ordered until it breaks. Sessions know links only by
that interface: they give bytes to ``send``, get bytes through a LinkReceiver, and heed ``writable``. What
makes a message a message, and survives a broken link, is the session's business. An inbox that clients and
servers share, as RmqInboxConnector has, takes the place of links altogether (``abc.SharedInbox``).

Each medium has a file or a folder of its own. They are independent of each other, and stand on ``links``,
parts of links that several of them have; on ``url``, the syntax of URLs and addresses; and on ``system``,
which keeps what the operating system holds for a process from outliving it. ``manager`` also uses the Unix
sockets of ``local``. ``registry`` finds a connector by the scheme of a URL, installed ones of other
distributions included.

A connector may not import sessions, entities or another connector. Each module is imported when its
connector is first used, so a program pays only for the media that it needs.
"""

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
