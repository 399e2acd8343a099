"""ManagerQueue: queues that the server of a multiprocessing manager holds."""

from __future__ import annotations

import asyncio
import os
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ...abc import Guarantees, Serializer
from ...aio.waiters import Waiters
from ...exceptions import Closed, MessageTooBig, SerializerError
from ...serializers import PickleSerializer
from ..base import WaitingQueue
from .protocol import Item
from .remote import Lease

if TYPE_CHECKING:
    from .remote import RemoteQueue

_LARGEST: Final = 2**32 - 64  # bytes; a frame's length has 32 bits


class _NotOpen(Exception):
    """There is no connection yet."""


class ManagerQueue(WaitingQueue):
    """A queue in a QueueHost, of any process; or in the manager of an ipcq server.

    It connects when it is first used, or entered by ``async with``, and again after the host was lost and is
    back. While nothing comes, nothing is asked.

    With the default serializer the items are objects, to programs that use ipcq as well. With any other
    serializer the items are bytes, which such a program gets and puts as they are. A QueueHost unpickles only
    what ipcq's programs send. A program that knows the key can run code at the host, and in all readers that
    use the default serializer.

    Each reader gets items in the order of the queue. What a reader has not returned from ``get`` when it is
    cancelled, times out or is killed goes back to its place, before all that are still there: a reader that
    has later ones already gets it after them. Of a reader that is killed, on this machine, it is back before
    any question asked after that is answered. An item is put when ``put`` returns: a reader that asks after
    that finds it. A writer that is killed in ``put`` has put the item or not. Items of writers that are
    connected apart are in the order in which the host hears of them. A queue with ``max_items`` counts items
    that are on their way to a reader until it has them.

    ipcq's manager does not know which reader has taken what. An item that comes for a task which does not
    want it any more is kept for the next get here; ``async with`` puts it back at its end, behind the others.
    An item that is on its way to a process that is killed is lost. Puts, and gets with a ``timeout=``, block
    the event loop until the manager has answered, 1 s at most.

    Args:
        address: of the host: the path of a Unix socket, or host and port.
        authkey: the host's.
        ident: which of its queues: a str, bytes, an int, or None. It is made when it is first asked for.
        max_items: how many items it holds if it is made now; 0: as many as the host says. Another program's
            manager is not told.
        serializer: by default PickleSerializer().
        max_item_size: bytes of the largest dumped item that is put here, or None for 4 GiB.

    Raises (all methods, but ``close``):
        LinkRefused: no process serves the address.
        AuthenticationError: the key is another one.
        InsecureAddress: everybody knows the key, and the address is not a Unix socket.
        PeerNotTrusted: the process that serves the address is another user's.
        ConnectionLost: the host ended, or does not answer. If ``sent`` is False nothing was put or taken.
        LinkError: any other failure to connect.
        RuntimeError: this process was forked off after the queue was used: open it anew. Or the event loop
            cannot watch sockets (Windows's ProactorEventLoop): use a SelectorEventLoop.

    The ``_nowait`` methods and ``qsize`` wait for the host's answer, 5 s at most, after which it is
    ConnectionLost. A call that has to connect first may take some seconds longer than its *timeout*: only the
    host knows whether a queue is empty or full.
    """

    def __init__(
        self, address: str | tuple[str, int], authkey: bytes, ident: str | bytes | int | None = None, *,
        max_items: int = 0, serializer: Serializer | None = None, max_item_size: int | None = None,
    ) -> None:
        if not isinstance(authkey, bytes):
            raise TypeError(f"authkey must be bytes, not {type(authkey).__name__}")
        if not isinstance(ident, str | bytes | int | None):
            raise TypeError(f"an ident is a str, bytes, an int or None, not {ident!r}")
        if max_items < 0:
            raise ValueError(f"a queue cannot hold {max_items} items; 0 means any number")
        self.address = address
        self.ident = ident
        self._authkey = bytes(authkey)
        self._max_items = max_items
        self._max_item_size = max_item_size
        self._process = os.getpid()
        self._remote: RemoteQueue | None = None
        self._opening = threading.Lock()
        self._opening_for: asyncio.AbstractEventLoop | None = None
        self._failure: Exception | None = None
        # Tasks wait here for the connection alone. What they put and get comes in order at the host.
        self._entering = Waiters(_NotOpen, self._begin_to_open, self._forget_failure)
        super().__init__(serializer or PickleSerializer(), self._entering, self._entering)
        self._takes_objects = isinstance(self._serializer, PickleSerializer)

    @property
    def guarantees(self) -> Guarantees:
        """What this queue does. Its capacity is what was asked for, until it has been connected."""
        capacity = self._remote.capacity if self._remote is not None else self._max_items
        return Guarantees(largest_item=self._max_item_size, capacity=capacity or None)

    def put_nowait(self, item: Any, /) -> None:
        self._open().put_nowait(self._item_of(item))

    def get_nowait(self) -> Any:
        lease = Lease()
        self._lease_nowait(lease)
        return self._taken(lease)

    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        made, deadline = self._item_of(item), _deadline(timeout)
        await (await self._entered()).put(made, _left(deadline))

    async def get(self, *, timeout: float | None = None) -> Any:
        lease = Lease()
        await self._lease(lease, timeout=timeout)
        return self._taken(lease)

    def qsize(self) -> int:
        return self._open().size().size

    def empty(self) -> bool:
        """Return whether ``get_nowait`` would have found nothing; it may be otherwise by now."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Return whether ``put_nowait`` would have found no room; it may be otherwise by now."""
        remote = self._open()
        return 0 < remote.capacity <= remote.size().used

    def task_done(self) -> None:
        """Count the work on an item that was taken as done. The last one ends ``join``.

        Raises:
            ValueError: it was called for all items already.
            FeatureNotAvailable: the queue is in another program's manager, such as ipcq's.
        """
        self._open().task_done()

    async def join(self) -> None:
        """Wait until ``task_done`` was called, in any process, for all that was put.

        Raises:
            FeatureNotAvailable: the queue is in another program's manager, such as ipcq's.

        Cancelling it does no harm.
        """
        await (await self._entered()).join()

    def close(self) -> None:
        """Let go of the queue; calls that wait here end with Closed. Items stay where they are."""
        if not self._closed:
            super().close()
            self._hang_up(wait=True)

    async def __aenter__(self) -> ManagerQueue:
        await self._entered()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
        if self._remote is not None and os.getpid() == self._process:
            await self._remote.wait_closed()

    # -- also for the blocking queue

    def _lease_nowait(self, lease: Lease) -> None:
        """Lease an item, as ``get_nowait`` does; ``_taken`` takes it."""
        lease.remote = remote = self._open()
        remote.get_nowait(lease)

    async def _lease(self, lease: Lease, *, timeout: float | None = None) -> None:
        """Lease an item, as ``get`` does."""
        deadline = _deadline(timeout)
        lease.remote = remote = await self._entered()
        await remote.get(lease, _left(deadline))
        if lease.unwanted:  # since before it was asked for
            remote.back(lease, acked=False)

    def _taken(self, lease: Lease) -> Any:
        """Return the object of an item, which is out of the queue then; also if it cannot be loaded."""
        assert lease.item is not None
        try:
            try:
                return self._object_of(lease.item)
            finally:
                lease.ack()
        except SerializerError:
            raise
        except BaseException:
            lease.back()
            raise

    def _hang_up(self, *, wait: bool = False) -> None:
        """End the connection. With *wait*, do so in order; without, from any thread, at any time."""
        if self._remote is not None:
            self._remote.close() if wait and os.getpid() == self._process else self._remote.hang_up()

    # -- items

    def _item_of(self, obj: Any) -> Item:
        self._check_open()
        if self._takes_objects and type(obj) is bytes:
            item = Item(False, obj)
        else:
            item = Item(self._takes_objects, self._dump(obj))
        largest = _LARGEST if self._max_item_size is None else self._max_item_size
        if len(item.data) > largest:
            raise MessageTooBig(f"an item of {len(item.data)} bytes; this queue takes {largest} at most")
        return item

    def _object_of(self, item: Item) -> Any:
        if item.pickled and not self._takes_objects:
            raise SerializerError("an object in the queue is no bytes, which the serializer could load")
        return item.data if self._takes_objects and not item.pickled else self._load(item.data)

    # -- the connection

    def _open(self) -> RemoteQueue:
        """Return the connection, made now if need be: this may take some seconds."""
        self._check_open()
        self._check_process()  # and not under a lock that may have been held when it was forked
        with self._opening:
            if self._remote is None or self._remote.lost:
                if self._remote is not None:
                    self._remote.close()
                # multiprocessing takes longer to import than all of this library.
                client = import_module("communica_like.queues.manager.client")
                self._remote = client.open_queue(self.address, self._authkey, self.ident, self._max_items)
                if self._closed:  # meanwhile, perhaps too early to find it here
                    self._remote.close()
                    raise Closed("the queue is closed")
            remote: RemoteQueue = self._remote
            return remote

    async def _entered(self) -> RemoteQueue:
        """Return the connection, when it is there, to one task after the other, as they came."""
        return await self._entering.wait(self._current, None)

    def _current(self) -> RemoteQueue:
        self._check_open()
        if self._failure is not None:
            raise self._failure
        if self._remote is None or self._remote.lost:
            raise _NotOpen
        self._check_process()
        return self._remote

    def _begin_to_open(self) -> None:
        loop = asyncio.get_running_loop()
        if self._opening_for is not loop:
            self._opening_for = loop
            # Not in the loop's executor, for which the end of the loop would wait.
            threading.Thread(target=self._open_for, args=(loop,), daemon=True).start()

    def _open_for(self, loop: asyncio.AbstractEventLoop) -> None:
        failure: Exception | None = None
        try:
            self._open()
        except Exception as exc:
            failure = exc
        try:
            loop.call_soon_threadsafe(self._opened, loop, failure)
        except RuntimeError:
            pass  # the loop is closed, and its tasks are gone

    def _opened(self, loop: asyncio.AbstractEventLoop, failure: Exception | None) -> None:
        if self._opening_for is loop:
            self._opening_for = None
            self._failure = failure  # of all that wait now
            if not self._entering.notify():
                self._failure = None

    def _forget_failure(self) -> None:
        self._failure = None

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("the queue was opened before this process was forked: open it anew")


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else asyncio.get_running_loop().time() + timeout


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else deadline - asyncio.get_running_loop().time()
