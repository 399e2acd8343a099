"""QueueManagerClient: the queues of a server, for any process that knows its address and key."""

from __future__ import annotations

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
        LinkRefused, AuthenticationError, InsecureAddress, PeerNotTrusted, LinkError, ValueError: as
            ``connect``.

    Any number of threads may use it and its queues. In a process that was forked off they connect anew.
    """

    def __init__(
        self, address: str | tuple[str, int] | None = None, authkey: bytes | None = None, *,
        portal: Portal | None = None,
    ) -> None:
        super().__init__(address, authkey, portal)
        self.connect()
