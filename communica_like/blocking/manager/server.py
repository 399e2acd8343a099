"""QueueManagerServer: holds queues, in threads of this process."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import ProcessError
from multiprocessing.managers import State  # type: ignore[attr-defined]
from typing import Any

from ... import queues
from ...queues.manager.server import QueueServer
from ..facade import Adapted, awaited
from ..portal.portal import Portal
from .address import prepare_address
from .base import QueueManager


class QueueManagerServer(QueueManager, Adapted[queues.QueueHost]):
    """Holds queues for any number of processes. ``with QueueManagerServer() as server: ...``

    It is a multiprocessing.managers.BaseManager, and serves QueueManagerClient, ManagerQueue, also the async
    one, ipcq's client, and managers that ``connect``. It does so in threads of this process, where
    BaseManager would start another: so its queues end with this process, however that ends.

    Args:
        address: ``Address.DEFAULT``, ``Address.CWD``, the path of a socket, ``Address.AUTO``, or host and
            port. A socket is open to this user alone.
        authkey: what clients have to know: bytes, or ``AuthKey.DEFAULT``, ``AuthKey.EMPTY`` or
            ``AuthKey.AUTO``. A process that knows it can run code in this one, since the protocol of
            managers is made of pickles.
        max_items: how many items a queue holds, if its first user does not say; 0: any number.
        portal: whose loop it is started on; None: the one that all share.

    Any number of threads may use it and its queues. In a process that was forked off it is a client of its
    parent's.
    """

    def __init__(
        self, address: str | tuple[str, int] | None = None, authkey: bytes | None = None, *,
        max_items: int = 0, portal: Portal | None = None,
    ) -> None:
        QueueManager.__init__(self, address, authkey, portal)
        self._max_items = max_items
        self._serves = 0  # the process that does
        core = queues.QueueHost(
            self._address, bytes(self._authkey), max_items=max_items, registry=self._registry
        )
        Adapted.__init__(self, core, portal)

    _registry: dict[str, tuple[Any, ...]]
    _serve = awaited(queues.QueueHost.__aenter__)
    _end = awaited(queues.QueueHost.close)

    def start(self, initializer: Callable[..., object] | None = None, initargs: Any = ()) -> None:
        """Serve, in threads of this process.

        Args:
            initializer, initargs: refused: there is no other process in which to call it.

        Raises:
            AddressInUse: a live server serves the address, and is unharmed.
            InsecureAddress: everybody knows the key, and the address is not a Unix socket.
            LinkError: the address cannot be used.
            ProcessError: it has been started before.
            ValueError: there is an initializer; the path is too long for a socket.
        """
        self._check_new()
        if initializer is not None:
            raise ValueError("the server runs in this process: call the initializer yourself")
        prepare_address(self._address, self._authkey)
        try:
            self._serve()
        except BaseException:
            self._end()
            self._leave()
            raise
        self._address = self._core.address
        self._serves = os.getpid()
        self._state.value = State.STARTED

    def shutdown(self) -> None:  # type: ignore[override]
        """Remove the socket and close all connections. Calls that wait anywhere raise an error.

        What is in the queues is lost. May be called several times, and before the server was started.
        """
        super().shutdown()
        if self._serves == os.getpid():
            self._serves = 0
            try:
                self._end()
            finally:
                self._leave()

    def get_server(self) -> ForegroundServer:
        """Return a server for this process that does nothing else: call its ``serve_forever()``.

        Its ``address`` is bound already.

        Raises:
            AddressInUse, InsecureAddress, LinkError, ProcessError, ValueError: as ``start``.
        """
        self._check_new()
        prepare_address(self._address, self._authkey)
        return ForegroundServer(self._address, bytes(self._authkey), self._max_items, self._registry)

    def _check_new(self) -> None:
        if self._state.value == State.STARTED:
            raise ProcessError("the manager has been started already")
        if self._state.value == State.SHUTDOWN:
            raise ProcessError("the manager has been shut down: make another one")

    def _farewell(self) -> None:
        self.shutdown()


class ForegroundServer(QueueServer):
    """Serves while ``serve_forever`` lasts. Its address is taken from the beginning.

    Attributes:
        address: as clients know it.
        stop_event: to set it ends ``serve_forever``.
    """

    def serve_forever(self) -> None:
        """Serve until ``stop_event`` is set, or Ctrl-C, after which it returns; or another exception."""
        try:
            self.start()
            self.stop_event.wait()
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()
