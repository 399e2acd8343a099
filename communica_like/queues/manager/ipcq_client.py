"""IpcqClient: the connection of a ManagerQueue to another program's manager, such as ipcq's."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ...aio.waiters import Waiter, Waiters
from ...exceptions import Closed, ConnectionLost, FeatureNotAvailable, LinkError
from ...managers.client import dial, request
from ...managers.connection import SocketConnection
from ...managers.peer import Address, address_text
from ...system import fork
from .protocol import Frame, Item, Kind
from .remote import Lease, RemoteQueue

_CALL_TIMEOUT: Final = 1.0  # seconds for an answer that takes no waiting
_FETCH_TIMEOUT: Final = 5.0
_FETCH_WAIT: Final = 0.25  # seconds that one get waits at the other side
_ROOM_POLL_INTERVAL: Final = 0.05


class IpcqClient(RemoteQueue):
    """A queue.Queue of another program's manager, called as proxies do.

    That one knows no leases: what it hands out is gone from it. So while a task waits here, a thread calls
    its get, for a quarter of a second at a time. If an item comes and no task waits any more, it is kept for
    the next get here, and put back, behind the others, when this is closed. If this process dies in the
    meantime the item is lost.

    Args:
        address, authkey: of the manager.
        ident: of the queue.
    """

    def __init__(self, address: Address, authkey: bytes, ident: Any) -> None:
        self._address = address
        self._where = address_text(address)
        self._authkey = authkey
        self._getters = Waiters(queue.Empty, self._watch_items, self._ignore_items)
        self._putters = Waiters(queue.Full, self._watch_room, self._ignore_room)
        self._lock = threading.Lock()  # of the calls' connection
        self._kept: deque[Item] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room_timer: asyncio.TimerHandle | None = None
        self._wanted = threading.Event()
        self._failure: Exception | None = None
        self._lost = self._closed = False
        self._generation = fork.generation
        self._ident = self._create(ident)
        self._calls = self._accepted()
        self._thread: threading.Thread | None = None

    @property
    def lost(self) -> bool:
        return self._lost

    # -- from any thread

    def get_nowait(self, lease: Lease) -> None:
        try:
            lease.item = self._kept.popleft()
        except IndexError:
            lease.item = Item.of(self._call("get", False))
        lease.number = 1

    def put_nowait(self, item: Item) -> None:
        self._call("put", item, False)

    def ack(self, lease: Lease) -> None:
        pass  # it was gone from there when it came

    def back(self, lease: Lease, *, acked: bool) -> None:
        if lease.item is not None:
            self._kept.appendleft(lease.item)
            if self._closed:
                self._put_back_late()

    def size(self) -> Frame:
        size = int(self._call("qsize")) + len(self._kept)
        return Frame(Kind.COUNT, 0, None, size, size)

    def task_done(self) -> None:
        raise self._no_tasks()

    # -- from the event loop. These calls are short, and made in one step: one that is cancelled was not made.

    async def get(self, lease: Lease, timeout: float | None) -> None:
        if not self._getters.waiting:
            try:
                self.get_nowait(lease)
                return
            except queue.Empty:
                if timeout is not None and timeout <= 0:
                    raise
        with Waiter(self._getters) as waiter:
            await waiter.wait(partial(self._take_kept, lease), timeout)

    async def put(self, item: Item, timeout: float | None) -> None:
        await self._putters.wait(partial(self.put_nowait, item), timeout)

    async def join(self) -> None:
        raise self._no_tasks()

    def hang_up(self) -> None:
        if self._generation != fork.generation:
            return  # its thread and its locks are the parent's
        # The thread puts back what it has, and ends.
        self._closed = True
        self._wanted.set()
        if self._thread is None and self._lock.acquire(blocking=False):
            self._calls.close()
            self._lock.release()

    def close(self) -> None:
        self._closed = True
        self._wanted.set()
        self._ignore_room()
        with contextlib.suppress(ConnectionLost, Closed):  # the queue that they belong to is gone
            self._put_back(partial(self._call, "put"))
        with self._lock:
            self._lost = True
            self._calls.close()
        self._getters.close()
        self._putters.close()

    async def wait_closed(self) -> None:
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, _CALL_TIMEOUT + _FETCH_WAIT)

    # -- those who wait

    def _take_kept(self, lease: Lease) -> None:
        try:
            lease.item = self._kept.popleft()
            lease.number = 1
        except IndexError:
            if self._lost:
                raise self._gone(self._failure, sent=False) from self._failure
            raise queue.Empty from None

    def _watch_items(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._fetch_all, name=f"communica_like queue at {self._where}", daemon=True
            )
            self._thread.start()
        self._wanted.set()

    def _ignore_items(self) -> None:
        self._wanted.clear()
        if self._closed:  # looked at after that: another thread may close it now
            self._wanted.set()

    def _watch_room(self) -> None:
        if self._room_timer is None:  # the other side does not tell of room
            loop = asyncio.get_running_loop()
            self._room_timer = loop.call_later(_ROOM_POLL_INTERVAL, self._look_for_room)

    def _ignore_room(self) -> None:
        if self._room_timer is not None:
            self._room_timer.cancel()
            self._room_timer = None

    def _look_for_room(self) -> None:
        self._room_timer = None
        self._putters.notify()

    # -- the other side

    def _create(self, ident: Any) -> str:
        with dial(self._address, self._authkey, foreign=True) as connection:
            try:
                made = request(connection, None, "create", "get_queue", ident)
            except LinkError:
                raise
            except Exception as exc:  # whatever goes wrong there
                raise LinkError(f"the manager at {self._where} gives no queue {ident!r}: {exc}") from exc
        # The reference that this made is kept: the other side's registry keeps its queues anyway.
        return str(made[0])

    def _accepted(self) -> SocketConnection:
        connection = dial(self._address, self._authkey, foreign=True)
        try:
            request(connection, None, "accept_connection", threading.current_thread().name)
        except BaseException:
            connection.close()
            raise
        return connection

    def _call(self, method: str, *arguments: Any) -> Any:
        with self._lock:
            if self._lost or (self._closed and method != "put"):
                raise self._gone(sent=False)
            try:
                return self._request(self._calls, method, *arguments, timeout=_CALL_TIMEOUT)
            except (queue.Empty, queue.Full):
                raise
            except Exception as exc:  # whatever goes wrong there; a late answer would pass for the next
                self._lost = True
                self._calls.close()
                raise self._gone(exc, sent=method == "put") from exc

    def _request(self, connection: SocketConnection, method: str, *arguments: Any, timeout: float) -> Any:
        """Call the queue. A None is true if the connection goes on after it.

        A server that stops ends a connection with a None, whether it was asked, and for what, or not. For a
        put, which is answered with None anyway, that is no matter: what was put would be lost now, too.
        """
        answer = request(connection, self._ident, method, *arguments, timeout=timeout)
        if answer is None and method != "put":
            request(connection, self._ident, "qsize", timeout=_CALL_TIMEOUT)
        return answer

    def _gone(self, cause: Exception | None = None, *, sent: bool) -> Exception:
        if self._closed:
            return Closed("the queue is closed")
        text = f"the manager at {self._where} is gone, or does not answer"
        return ConnectionLost(f"{text}: {cause!r}" if cause is not None else text, sent)

    def _put_back(self, put: Callable[[Item], object]) -> None:
        while self._kept:
            try:
                item = self._kept.popleft()
            except IndexError:  # another thread puts it back
                return
            put(item)

    def _put_back_late(self) -> None:
        with contextlib.suppress(LinkError), self._accepted() as connection:  # the queue may be gone
            self._put_back(partial(request, connection, self._ident, "put"))

    def _no_tasks(self) -> Exception:
        return FeatureNotAvailable(f"the manager at {self._where} is another program's: it has no task_done")

    # -- the thread

    def _fetch_all(self) -> None:
        try:
            with self._accepted() as connection:
                while not self._closed:
                    self._wanted.wait()
                    if self._kept:
                        self._wanted.clear()  # before it is told: the next getter sets it
                        self._tell_getters()
                    elif not self._closed:
                        with contextlib.suppress(queue.Empty):
                            found = self._request(
                                connection, "get", True, _FETCH_WAIT, timeout=_FETCH_TIMEOUT
                            )
                            self._kept.append(Item.of(found))
                self._put_back(partial(request, connection, self._ident, "put"))  # what came meanwhile
        except Exception as exc:  # whatever goes wrong there
            self._failure = exc
            self._lost = True
            self._tell_getters()

    def _tell_getters(self) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed, and its tasks are gone
            self._loop.call_soon_threadsafe(self._getters.notify)
