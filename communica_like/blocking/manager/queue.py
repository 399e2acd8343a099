"""ManagerQueue for programs without an event loop: a queue.Queue that processes share."""

from __future__ import annotations

import contextlib
import queue
import weakref
from functools import partial
from multiprocessing import process
from typing import Any, Self

from ... import queues
from ...abc import Serializer
from ...exceptions import Closed, SerializerError

# Not imported later, when a process may be forked off meanwhile.
from ...queues.manager import client as _client  # noqa: F401
from ...queues.manager.remote import Lease
from ..facade import Adapted, awaited, called
from ..portal.portal import Portal


class ManagerQueue(Adapted[queues.ManagerQueue]):
    """A queue of a manager, used as a ``queue.Queue``.

    ``QueueManagerServer.get_queue`` and ``QueueManagerClient.get_queue`` return such queues; it may be opened
    by itself as well. It connects when it is first used, and again when the server was lost and is back.

    Args:
        address, authkey, ident, max_items, serializer, max_item_size: as for the async ManagerQueue, but that
            without *authkey* it is the key of this process: ``multiprocessing.current_process().authkey``.
        portal: whose loop waits; None: the one that all share.

    Raises (all methods, but ``close``):
        LinkRefused: no process serves the address.
        AuthenticationError: the key is another one. It is multiprocessing's AuthenticationError, too.
        ConnectionLost: the server ended, or does not answer. If ``sent`` is False nothing was put or taken.
        LinkError: any other failure to connect.
        Closed: ``close`` was called here, before or meanwhile.

    Any number of threads may call all methods, at any time. Ctrl-C ends each of them at once: an item that
    get has not returned is in the queue again, before all others. A process that was forked off connects anew
    when it first uses the queue. It may be an argument of a multiprocessing.Process.
    """

    # Nothing has to be done at the end of the interpreter.
    _farewell = None  # type: ignore[assignment]

    def __init__(
        self, address: str | tuple[str, int], authkey: bytes | None = None,
        ident: str | bytes | int | None = None, *, max_items: int = 0, serializer: Serializer | None = None,
        max_item_size: int | None = None, portal: Portal | None = None,
    ) -> None:
        key = process.current_process().authkey if authkey is None else authkey
        self._key: bytes = process.AuthenticationString(key)  # type: ignore[attr-defined]
        self._arguments = address, ident
        self._options: dict[str, Any]
        self._options = {"max_items": max_items, "serializer": serializer, "max_item_size": max_item_size}
        super().__init__(self._make_core(), portal)

    def __repr__(self) -> str:
        address, ident = self._arguments
        return f"<blocking queue {ident!r} of the manager at {address}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Its key is pickled for new processes only: multiprocessing sees to that.
        address, ident = self._arguments
        return partial(ManagerQueue, **self._options), (address, self._key, ident)

    _wait_for_room = awaited(queues.ManagerQueue.put)
    _wait_for_item = awaited(queues.ManagerQueue._lease)
    _end = called(queues.ManagerQueue.close)

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Put an item into the queue.

        Args:
            block: whether to wait for room, if the queue is full.
            timeout: seconds to wait; None: as long as it takes. Without *block* it is ignored.

        Raises:
            queue.Full: there was no room in time.
            ValueError: *timeout* is negative.
            MessageTooBig: the item is larger than ``max_item_size``.
            SerializerError: it cannot be dumped.

        It may return before the server has the item. Calls that are made after it find the item there. If
        Ctrl-C ends it the item may have been put.
        """
        limit = _limit(block, timeout)
        try:
            self._core.put_nowait(item)
            return
        except queue.Full:
            if limit is not None and limit <= 0:
                raise
        self._wait_for_room(item, timeout=limit)

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take an item out of the queue, and return it.

        Args:
            block: whether to wait for an item, if the queue is empty.
            timeout: seconds to wait; None: as long as it takes. Without *block* it is ignored.

        Raises:
            queue.Empty: there was no item in time.
            ValueError: *timeout* is negative.
            SerializerError: the item cannot be loaded. It is out of the queue now.
        """
        limit = _limit(block, timeout)
        core, lease, empty = self._core, Lease(), False
        try:
            try:
                core._lease_nowait(lease)
            except queue.Empty:
                if limit is not None and limit <= 0:
                    raise
                empty = True
            if empty:
                lease = Lease()
                self._wait_for_item(lease, timeout=limit)
            return core._taken(lease)
        except (queue.Empty, SerializerError):
            raise
        except BaseException:  # Ctrl-C among them, in whatever line
            lease.back()
            raise

    def put_nowait(self, item: Any) -> None:
        """The same as ``put(item, block=False)``."""
        self.put(item, False)

    def get_nowait(self) -> Any:
        """The same as ``get(block=False)``."""
        return self.get(False)

    def qsize(self) -> int:
        """Return how many items are in the queue; it may be another number by now."""
        return self._core.qsize()

    def empty(self) -> bool:
        """Return whether there is no item in the queue; it may be otherwise by now."""
        return self._core.empty()

    def full(self) -> bool:
        """Return whether there is no room in the queue; it may be otherwise by now."""
        return self._core.full()

    def task_done(self) -> None:
        """Say that the work on an item that get returned is done, in whatever process.

        Raises:
            ValueError: it was said for all items already.
            FeatureNotAvailable: the queue is in another program's manager, such as ipcq's.
        """
        self._core.task_done()

    join = awaited(queues.ManagerQueue.join)

    def close(self) -> None:
        """Let go of the queue; calls that wait here raise Closed. Items stay where they are."""
        with self._entering:
            entered = self._portal is not None
            if not entered:
                self._core.close()  # calls that enter from now on find that
        try:
            if entered:
                with contextlib.suppress(Closed):  # another thread closed it at the same time
                    self._end()
        finally:
            self._leave()

    def __iter__(self) -> Self:
        """Iterate over the items as ``get`` gives them, until the queue is closed here."""
        return self

    def __next__(self) -> Any:
        try:
            return self.get()
        except Closed:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _enter(self) -> Portal:
        if self._core.closed:
            raise Closed("the queue is closed")  # and needs no loop
        return super()._enter()

    def _enter_first(self) -> Portal:
        portal = super()._enter_first()
        if self._core.closed:  # meanwhile
            self._leave()
            raise Closed("the queue is closed")
        return portal

    def _make_core(self) -> queues.ManagerQueue:
        address, ident = self._arguments
        core = queues.ManagerQueue(address, bytes(self._key), ident, **self._options)
        # A queue that is dropped without close() leaves neither a thread nor a socket here.
        weakref.finalize(self, core._hang_up).atexit = False
        return core

    def _forked(self) -> None:
        super()._forked()
        closed = self._core.closed
        self._core = self._make_core()
        if closed:
            self._core.close()
        self._portal = None


def _limit(block: bool, timeout: float | None) -> float | None:
    if not block:
        return 0.0
    if timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")
    return timeout
