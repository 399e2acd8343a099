"""QueueManagerClient: the queues of a server, for any process that knows its address and key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from ..portal.portal import Portal
from .base import QueueManager


class QueueManagerClient(QueueManager):
    """The queues of a QueueManagerServer, or of ipcq's. ``client.get_queue("jobs").put(job)``

    It is a multiprocessing.managers.BaseManager and a context manager, whose end closes its queues. Dropped
    without ``shutdown``, it and its queues leave nothing behind. The server can run code in this process,
    since the protocol of managers is made of pickles.

    Args:
        address: where the server is: ``Address.DEFAULT``, ``Address.CWD``, the path of a socket, or host and
            port.
        authkey: the server's: bytes, or ``AuthKey.DEFAULT``, ``AuthKey.EMPTY`` or ``AuthKey.AUTO``.
        portal: whose loop waits; None: the one that all share.

    Raises:
        LinkRefused: no process serves the address.
        AuthenticationError: the key is another one. It is multiprocessing's AuthenticationError, too.
        InsecureAddress: everybody knows the key, and the address is not a Unix socket.
        PeerNotTrusted: the process that serves the address is another user's.
        LinkError: any other failure to connect.
        ValueError: there is no address.

    Any number of threads may use it and its queues. In a process that was forked off they connect anew.
    """

    def __init__(
        self,
        address: str | tuple[str, int] | None = None,
        authkey: bytes | None = None,
        *,
        portal: Portal | None = None,
    ) -> None:
        super().__init__(address, authkey, portal)
        self.connect()

    def start(self, initializer: Callable[..., object] | None = None, initargs: Any = ()) -> NoReturn:
        """Raise ProcessError: a client starts no server.

        Raises:
            ProcessError: in any case.
        """
        self._check_new()
        raise AssertionError("a client is connected when it is made")

    def get_server(self) -> NoReturn:
        """Raise ProcessError: a client is no server.

        Raises:
            ProcessError: in any case.
        """
        self._check_new()
        raise AssertionError("a client is connected when it is made")
