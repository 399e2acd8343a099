"""The connection of a ManagerQueue to a queue of another program's manager, such as ipcq's."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from ...aio.waiters import Line, Place
from ...exceptions import CommunicaError, ConnectionLost, FeatureNotAvailable, LinkError
from ...managers.client import Address, address_text, dial, request
from ...managers.connection import SocketConnection, limit_time
from .protocol import Item
from .remote import Claim, Claims, Offer, RemoteQueue

__all__ = ["ForeignClient"]

_PATIENCE: Final = 1.0  # seconds for an answer that takes no waiting
_FETCH_PATIENCE: Final = 5.0
_SLICE: Final = 0.25  # seconds that one get waits at the other side
_ROOM_LOOK: Final = 0.05


class ForeignClient(RemoteQueue):
    """Proxies' calls on a queue.Queue, or what else it is, over there.

    That has no claims: what it hands out is gone from it. So while anybody waits here, a thread calls its
    get, for a quarter of a second at a time; if an item comes and nobody waits any more, it is kept for the
    next one who asks here, and put back, behind the others, when this is closed. If this process dies in the
    meantime the item is lost.

    Args:
        address, authkey: of the manager.
        ident: of the queue.
        getters, putters: those who wait here.
    """

    def __init__(self, address: Address, authkey: bytes, ident: Any, getters: Line, putters: Line) -> None:
        self._address = address
        self._authkey = authkey
        self._getters = getters
        self._putters = putters
        self._lock = threading.Lock()  # of the calls' connection
        self._kept: deque[Item] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._room_look: asyncio.TimerHandle | None = None
        self._wanted = threading.Event()
        self._failure: Exception | None = None
        self._closed = False
        self._ident = self._create(ident)
        self._calls = self._accepted()
        self._thread: threading.Thread | None = None

    # -- from any thread

    def put_nowait(self, item: Item) -> None:
        self._call("put", item, False)

    def post(self, item: Item) -> None:
        self.put_nowait(item)

    def get_nowait(self, claims: Claims) -> None:
        claims.append(self.quick_take())

    def qsize(self) -> int:
        return int(self._call("qsize")) + len(self._kept)

    def task_done(self) -> None:
        raise self._no_tasks()

    def taken(self, claim: Claim) -> None:
        pass  # it was when it came

    def unclaim(self, claim: Claim) -> None:
        assert claim.item is not None
        self._kept.appendleft(claim.item)
        if self._closed:
            self._put_back_late()

    def untake(self, claim: Claim) -> None:
        self.unclaim(claim)

    # -- from the event loop. These calls are short, and made in one step, so that a cancelled one was not
    # made.

    async def join(self) -> None:
        raise self._no_tasks()

    async def offer(self, item: Item) -> Offer:
        return Offer(item)

    def quick_take(self) -> Claim:
        try:
            item = self._kept.popleft()
        except IndexError:
            item = Item.of(self._call("get", False))
        return Claim(self, 0, item)

    def quick_fill(self, offer: Offer) -> bool:
        self.put_nowait(offer.item)
        return True

    async def try_take(self, place: Place) -> Claim:
        return self.quick_take()

    async def take_now(self) -> Claim:
        return self.quick_take()

    async def try_fill(self, offer: Offer) -> None:
        self.put_nowait(offer.item)

    def take(self) -> Claim:
        try:
            return Claim(self, 0, self._kept.popleft())
        except IndexError:
            if self.lost:
                raise self._gone(self._failure, sent=False) from self._failure
            raise queue.Empty from None

    def fill(self, offer: Offer) -> None:
        self.put_nowait(offer.item)

    def withdraw(self, offer: Offer) -> None:
        pass

    def watch_items(self) -> None:
        self._loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._fetch_all, name=f"communica_like queue at {self._where}", daemon=True
            )
            self._thread.start()
        self._wanted.set()

    def ignore_items(self) -> None:
        self._wanted.clear()

    def watch_room(self) -> None:
        if self._room_look is None:  # nobody tells of room
            self._room_look = asyncio.get_running_loop().call_later(_ROOM_LOOK, self._look_for_room)

    def ignore_room(self) -> None:
        if self._room_look is not None:
            self._room_look.cancel()
            self._room_look = None

    def hang_up(self) -> None:
        # The thread puts back what it has, and ends.
        self._closed = True
        self._wanted.set()

    def close(self) -> None:
        self._closed = True
        self._wanted.set()
        self.ignore_room()
        with contextlib.suppress(ConnectionLost):  # the queue that they belong to is gone
            self._put_back(partial(self._call, "put"))
        with self._lock:
            self.lost = True
            self._calls.close()

    def wait_closed(self) -> None:
        if self._thread is not None:
            self._thread.join(_PATIENCE + _SLICE)

    # -- the other side

    @property
    def _where(self) -> str:
        return address_text(self._address)

    def _create(self, ident: Any) -> str:
        connection = dial(self._address, self._authkey)
        try:
            made = request(connection, None, "create", "get_queue", ident)
        except LinkError:
            raise
        except Exception as exc:  # whatever goes wrong there
            raise LinkError(f"the manager at {self._where} gives no queue {ident!r}: {exc}") from exc
        finally:
            connection.close()
        # The reference that this made is kept: the other side's registry keeps its queues anyway.
        return str(made[0])

    def _accepted(self) -> SocketConnection:
        connection = dial(self._address, self._authkey)
        try:
            request(connection, None, "accept_connection", threading.current_thread().name)
            limit_time(connection.socket, _PATIENCE)
        except BaseException:
            connection.close()
            raise
        return connection

    def _call(self, method: str, *arguments: Any) -> Any:
        with self._lock:
            if self.lost:
                raise self._gone(sent=False)
            try:
                return request(self._calls, self._ident, method, *arguments)
            except (queue.Empty, queue.Full):
                raise
            except Exception as exc:  # whatever goes wrong there; a late answer would pass for the next
                self.lost = True
                self._calls.close()
                raise self._gone(exc, sent=method == "put") from exc

    def _gone(self, cause: Exception | None = None, *, sent: bool) -> ConnectionLost:
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
        try:
            connection = self._accepted()
            try:
                self._put_back(partial(request, connection, self._ident, "put"))
            finally:
                connection.close()
        except LinkError:
            pass  # the queue that they belong to is gone

    def _no_tasks(self) -> Exception:
        return FeatureNotAvailable(f"the manager at {self._where} is another program's: it has no task_done")

    # -- the thread

    def _fetch_all(self) -> None:
        try:
            connection = self._accepted()
        except (CommunicaError, OSError) as exc:
            self._tell_lost(exc)
            return
        limit_time(connection.socket, _FETCH_PATIENCE)
        try:
            while not self._closed:
                self._wanted.wait()
                if self._kept:
                    self._wanted.clear()  # before it is told, since whoever comes then sets it
                    self._tell(self._getters.call_up)
                elif not self._closed:
                    self._fetch(connection)
            self._put_back(partial(request, connection, self._ident, "put"))  # what came meanwhile
        except Exception as exc:  # whatever goes wrong there
            self._tell_lost(exc)
        finally:
            connection.close()

    def _fetch(self, connection: SocketConnection) -> None:
        try:
            self._kept.append(Item.of(request(connection, self._ident, "get", True, _SLICE)))
        except queue.Empty:
            pass

    def _tell_lost(self, cause: Exception) -> None:
        self._failure = cause
        self.lost = True
        self._tell(self._getters.call_up)

    def _tell(self, call: Callable[[], object]) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(call)
        except RuntimeError:
            pass  # the loop is closed, and nobody waits in it

    def _look_for_room(self) -> None:
        self._room_look = None
        self._putters.call_up()
