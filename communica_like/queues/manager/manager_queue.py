"""ManagerQueue: queues that the server of a multiprocessing manager holds."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Awaitable, Callable
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ...abc import Guarantees, Serializer
from ...aio.waiters import Line
from ...exceptions import Closed, MessageTooBig, SerializerError
from ...serializers import PickleSerializer
from ..base import WaitingQueue
from .arrivals import Arrivals
from .protocol import Item
from .remote import Claim, Claims

if TYPE_CHECKING:
    from .remote import RemoteQueue

__all__ = ["ManagerQueue"]

T = TypeVar("T")

_LARGEST: Final = 2**32 - 64  # bytes; a frame's length has 32 bits


class ManagerQueue(WaitingQueue):
    """A queue in a QueueHost of another process, or of this one; or in the manager of an ipcq server.

    It connects when it is first used, or entered by ``async with``, and again after the host was lost and is
    back.

    With the default serializer the items are objects, to programs that use ipcq as well: each gets what the
    other one put. With any other serializer the items are bytes, which such a program gets and puts as they
    are. At a QueueHost items are bytes in any case, and nothing is unpickled there but what ipcq's programs
    send. Whoever knows the key is trusted: see multiprocessing's documentation on pickles and connections.

    At a QueueHost nothing is lost by a cancelled or timed-out get, nor by a reader that is killed: what a
    reader has not returned from ``get`` goes back to where it was in the queue. Whoever is killed in ``put``
    has put the item or not. While nothing comes, nothing is asked.

    ipcq's manager does not know who has taken what. While somebody waits here, an item that is taken for him
    and then not wanted is kept for the next get here, which may have got a later one already; ``async with``
    puts it back at its end, behind the others. An item that is on its way to a process that is killed is
    lost. Puts, and gets with a ``timeout=``, are calls that block the event loop until the manager has
    answered, 1 s at most.

    Each reader gets items in the order of the queue. Items of writers that are connected apart are there in
    the order in which the host hears of them, though one's put may have returned before the other's began.
    An item that was on its way to a ``get`` which then gave up, or to a reader that is killed, goes back to
    its place, before all that are still there: a reader that has later ones already gets it after them. Of
    a reader that is killed, on this machine, it is back before anybody who asks after that is answered.

    Args:
        address: of the host: the path of a Unix socket, or host and port.
        authkey: the host's.
        ident: which of its queues: a str, bytes, an int, or None. It is made when somebody first asks for it.
        max_items: how many items it holds if it is made now; 0: as many as the host says. Another program's
            manager is not told.
        serializer: by default PickleSerializer().
        max_item_size: bytes of the largest dumped item that is put here, or None for 4 GiB.

    Raises (all methods, but ``close``):
        LinkRefused: nobody serves the address.
        AuthenticationError: the key is another one.
        ConnectionLost: the host ended, or does not answer. If ``sent`` is False nothing was put or taken.
        LinkError: any other failure to connect.
        RuntimeError: this process was forked off after the queue was used: open it anew.

    The ``_nowait`` methods and ``qsize`` wait for the host's answer, 5 s at most, after which it is
    ConnectionLost.
    """

    def __init__(
        self,
        address: str | tuple[str, int],
        authkey: bytes,
        ident: str | bytes | int | None = None,
        *,
        max_items: int = 0,
        serializer: Serializer | None = None,
        max_item_size: int | None = None,
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
        self._arrivals: Arrivals[RemoteQueue] = Arrivals(self._if_open, self._open)
        getters = Line(queue.Empty, self._told("watch_items"), self._told("ignore_items"))
        putters = Line(queue.Full, self._told("watch_room"), self._told("ignore_room"))
        super().__init__(serializer or PickleSerializer(), getters, putters)
        self._takes_objects = isinstance(self._serializer, PickleSerializer)

    @property
    def guarantees(self) -> Guarantees:
        """What this queue does. Its capacity is what was asked for, until it has been connected."""
        capacity = self._remote.capacity if self._remote is not None else self._max_items
        return Guarantees(largest_item=self._max_item_size, capacity=capacity or None)

    def put_nowait(self, item: Any, /) -> None:
        self._open().put_nowait(self._item_of(item))

    def get_nowait(self) -> Any:
        claims = Claims()
        self._claim_nowait(claims)
        return self._taken(claims[0])

    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        await self._open_still(self._put(self._item_of(item), timeout))

    async def _put(self, item: Item, timeout: float | None) -> None:
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        remote = await self._entered()
        with self._putters.place() as place:
            offer = await remote.offer(item)
            try:
                if place.first:
                    try:
                        if remote.quick_fill(offer):
                            return
                        if deadline is not None:  # the answer must not be left out
                            await remote.try_fill(offer)
                            return
                    except queue.Full:
                        if deadline is not None and clock() >= deadline:
                            raise
                await place.wait(lambda: remote.fill(offer), deadline and deadline - clock())
            except BaseException:
                remote.withdraw(offer)
                raise

    async def get(self, *, timeout: float | None = None) -> Any:
        return self._taken(await self._open_still(self._claimed(timeout)))

    def _post(self, item: Any) -> None:
        """Put an item as ``put_nowait`` does; it may return before the host has the item.

        All whom the caller tells of it find it there, nevertheless. The items of a host that ends are lost in
        any case.
        """
        self._open().post(self._item_of(item))

    def _claim_nowait(self, claims: Claims) -> None:
        """Add the claim of an item to *claims*, as ``get_nowait`` takes an item."""
        self._open().get_nowait(claims)

    async def _claim(self, claims: Claims, *, timeout: float | None = None) -> None:
        """The same, as ``get`` takes an item for which ``get_nowait`` came too early."""
        remote = await self._entered()
        claims.append(await self._getters.enter(remote.take, timeout))
        if claims.unwanted:
            claims.back()

    async def _claimed(self, timeout: float | None) -> Claim:
        clock = asyncio.get_running_loop().time
        deadline = None if timeout is None else clock() + timeout
        remote = await self._entered()
        if timeout is not None and timeout <= 0 and not len(self._getters):
            return await remote.take_now()
        with self._getters.place() as place:
            if place.first:
                try:
                    claim = remote.quick_take()
                    if claim is None and deadline is not None:  # the answer must not be left out
                        claim = await remote.try_take(place)
                    if claim is not None:
                        return claim
                except queue.Empty:
                    if deadline is not None and clock() >= deadline:
                        raise
            return await place.wait(remote.take, deadline and deadline - clock())

    def _taken(self, claim: Claim) -> Any:
        return self._object_of(claim.take())

    def qsize(self) -> int:
        return self._open().qsize()

    def empty(self) -> bool:
        """Return whether ``get_nowait`` would have found nothing; it may be otherwise by now."""
        return self.qsize() == 0

    def full(self) -> bool:
        """Return whether ``put_nowait`` would have found no room; it may be otherwise by now."""
        remote = self._open()
        return 0 < remote.capacity <= remote.qsize()

    def task_done(self) -> None:
        """Say that the work on an item that was taken is done; whoever waits in ``join`` hears of the last.

        Raises:
            ValueError: it was said for all items already.
            FeatureNotAvailable: the queue is in another program's manager, such as ipcq's.
        """
        self._open().task_done()

    async def join(self) -> None:
        """Wait until ``task_done`` was called, in whatever process, for all that was put, by whomever.

        Raises:
            FeatureNotAvailable: the queue is in another program's manager, such as ipcq's.

        Cancelling it does no harm.
        """
        remote = await self._entered()
        await self._open_still(remote.join())

    def close(self) -> None:
        """Let go of the queue; whoever waits here ends with Closed. Items stay where they are."""
        if not self._closed:
            super().close()
            self._arrivals.turn_away(Closed("the queue is closed"))
            if self._remote is not None and os.getpid() == self._process:
                self._remote.close()  # a forked child has no part in it

    async def __aenter__(self) -> ManagerQueue:
        await self._entered()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
        if self._remote is not None and os.getpid() == self._process:
            await asyncio.to_thread(self._remote.wait_closed)

    def _hang_up(self) -> None:
        """Nobody has this queue any more: end the connection. From any thread; takes no locks."""
        if self._remote is not None and os.getpid() == self._process:
            self._remote.hang_up()

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

    def _told(self, method: str) -> Callable[[], None]:
        def tell() -> None:
            if self._remote is not None and not self._closed:
                getattr(self._remote, method)()

        return tell

    def _open(self) -> RemoteQueue:
        """Return the connection, made now if need be: this may take some seconds."""
        self._check_open()
        self._check_process()  # and not under a lock that may have been held when it was forked
        with self._opening:
            if self._remote is None or self._remote.lost:
                # multiprocessing takes longer to import than all of this library.
                opener = import_module("communica_like.queues.manager.open")
                remote: RemoteQueue = opener.open_queue(
                    self.address, self._authkey, self.ident, self._max_items, self._getters, self._putters
                )
                self._remote = remote
                if self._closed:  # meanwhile, perhaps too early to find it here
                    remote.close()
                    raise Closed("the queue is closed")
            return self._remote

    async def _entered(self) -> RemoteQueue:
        """Return the connection, when it is there, to whoever has come first."""
        remote = await self._arrivals.enter()
        self._check_open()  # it may have been closed in the turn in which it was opened
        return remote

    def _if_open(self) -> RemoteQueue | None:
        """Return the connection, if there is one."""
        self._check_open()
        if self._remote is None or self._remote.lost:
            return None
        self._check_process()
        return self._remote

    async def _open_still(self, asking: Awaitable[T]) -> T:
        """Return the awaitable's result; ConnectionLost because of ``close`` is Closed."""
        try:
            return await asking
        except ConnectionError:
            self._check_open()
            raise

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise RuntimeError("the queue was opened before this process was forked: open it anew")
