"""QueueManager: what the server and the clients share, which are managers of multiprocessing."""

from __future__ import annotations

import threading
from multiprocessing import ProcessError
from multiprocessing.managers import BaseManager, State  # type: ignore[attr-defined]
from typing import Any, Self

from ...managers.client import SERIALIZER, dial, request
from ...system import fork
from ..portal.portal import Portal
from .address import checked_address, prepare_address
from .queue import ManagerQueue


class QueueManager(BaseManager):
    """Base of QueueManagerServer and QueueManagerClient.

    What else a BaseManager offers, such as ``register``, works as its documentation says.

    Args:
        address: the path of a socket, or host and port.
        authkey: None: that of this process.
        portal: whose loop waits; None: the one that all share.
    """

    _address: str | tuple[str, int] | None
    _authkey: bytes
    _state: Any

    def __init__(self, address: Any, authkey: bytes | None, portal: Portal | None) -> None:
        if not isinstance(authkey, bytes | None):
            raise TypeError(f"authkey must be bytes or None, not {type(authkey).__name__}")
        super().__init__(checked_address(address), authkey, SERIALIZER)
        self._queues: dict[Any, ManagerQueue] = {}
        self._queues_lock = threading.Lock()
        self._queues_portal = portal
        self._over = threading.Event()
        fork.reset_in_child(self, QueueManager._start_anew)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r})"

    def get_queue(self, ident: str | bytes | int | None = None, *, max_items: int = 0) -> ManagerQueue:
        """Return the queue of this ident, which all processes share. It is the same object each time.

        Args:
            ident: different ones are different queues. A str and its bytes are different ones.
            max_items: how many items the queue holds, if this is its first use anywhere; 0: as many as the
                server says. ipcq's server is not told.

        Raises:
            TypeError: it is no str, bytes, int or None.
            ProcessError: this has not been started, or has been shut down.
        """
        self._check_started()
        assert self._address is not None
        with self._queues_lock:
            if ident not in self._queues:
                self._queues[ident] = ManagerQueue(
                    self._address, self._authkey, ident, max_items=max_items, portal=self._queues_portal
                )
            return self._queues[ident]

    @property
    def address(self) -> str | tuple[str, int] | None:
        """Where the server is; of a server at ``Address.AUTO``: None until it is started."""
        return self._address

    def connect(self) -> None:
        """Connect to the server that serves the address, instead of starting one.

        Raises:
            LinkRefused: no process serves the address.
            AuthenticationError: the key is another one. It is multiprocessing's AuthenticationError, too.
            InsecureAddress: everybody knows the key, and the address is not a Unix socket.
            PeerNotTrusted: the process that serves the address is another user's.
            LinkError: any other failure.
            ValueError: there is no address.
        """
        if self._address is None:
            raise ValueError("the address of a server is needed; AUTO is for servers")
        prepare_address(self._address, self._authkey)
        with dial(self._address, self._authkey, foreign=True) as connection:
            request(connection, None, "dummy")
        self._state.value = State.STARTED

    def shutdown(self) -> None:  # type: ignore[override]
        """Close the queues that were got here. Calls that wait in them, in other threads, raise Closed.

        May be called several times.
        """
        self._state.value = State.SHUTDOWN
        with self._queues_lock:
            mine, self._queues = list(self._queues.values()), {}
        for each in mine:
            each.close()
        self._over.set()

    def join(self, timeout: float | None = None) -> None:
        """Wait until ``shutdown`` has been called, but not longer than *timeout* seconds."""
        self._over.wait(timeout)

    def __enter__(self) -> Self:
        if self._state.value == State.INITIAL:
            self.start()
        self._check_started()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    def _check_started(self) -> None:
        if self._state.value == State.INITIAL:
            raise ProcessError("the manager has not been started")
        if self._state.value == State.SHUTDOWN:
            raise ProcessError("the manager has been shut down")

    def _start_anew(self) -> None:
        self._queues_lock = threading.Lock()
        self._over = threading.Event()
