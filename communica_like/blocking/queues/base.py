"""BlockingQueue: the base of blocking queues, which loses no item to an interrupted get."""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Generic, NoReturn, Self, TypeVar

from ...exceptions import Closed, SerializerError
from ...queues.base import WaitingQueue
from ..facade import Adapted, called
from ..portal.portal import Portal
from .raw import Message, MessageQueue
from .retry import Spin
from .stash import Stash

QueueT = TypeVar("QueueT", bound=MessageQueue)


class BlockingQueue(Adapted[QueueT], Generic[QueueT]):
    """Base of the blocking queues. Any thread may call any method at any time.

    Args:
        core: the async queue.
        loads: turns bytes into an item.
        portal: its event loop does the waiting; None uses the shared one.

    When Ctrl-C, or another exception of a signal handler, ends a ``get`` that has just taken an item, the
    item goes to the next ``get`` here. Such items that are left at ``close``, or at exit, are put back into
    the queue. A forked child opens the queue anew at its first use.
    """

    _take: ClassVar[Callable[..., None]]
    """Made by ``refused``."""

    def __init__(self, core: QueueT, loads: Callable[[bytes], Any], portal: Portal | None) -> None:
        super().__init__(core, portal)
        self._loads = loads
        self._to_get = Spin()
        self._to_put = Spin()
        self._kept = Stash(core)
        self._parked = 0  # threads that wait for an item
        weakref.finalize(self, self._kept.give_up)

    # -- for subclasses

    def _get(self, timeout: float | None, **wanted: int) -> Any:
        """Return an item. If this thread is interrupted, keep what was taken for the next call."""
        box: list[Message] = []
        try:
            if not self._kept.messages or not self._kept.take(box, **wanted):
                try:
                    self._core.take_nowait(box, **wanted)
                except queue.Empty:
                    if timeout is not None and timeout <= 0:
                        raise
                if not box:
                    self._wait(box, timeout, wanted)
            try:
                return self._loads(box[0][0])
            except Exception as exc:
                if fails(self._loads, box[0][0]):
                    raise _not_loaded(box.pop()[0], exc) from exc
                raise
        except BaseException:
            for message in box:
                self._kept.add(message)
            if box and (self._parked or self._core.closed):
                self._kept.put_back()
            raise

    def _load(self, data: bytes) -> Any:
        try:
            return self._loads(data)
        except Exception as exc:
            raise _not_loaded(data, exc) from exc

    def _wait(self, box: list[Message], timeout: float | None, wanted: dict[str, int]) -> None:
        self._parked += 1
        try:
            # A thread that stashes a message checks afterwards whether another one waits.
            if not self._kept.messages or not self._kept.take(box, **wanted):
                self._take(timeout, self._to_get, box, **wanted)
        except Closed:
            self._leave()  # the portal may have been entered after close()
            raise
        finally:
            self._parked -= 1
            if self._kept.messages and self._parked:
                self._kept.put_back()

    def _reclaim(self, message: Message) -> None:
        self._kept.add(message)
        if self._core.closed or self._parked > 1:  # one of them is leaving, and puts it back itself
            self._kept.put_back()

    # -- the end

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called here."""
        return self._core.closed

    def close(self) -> None:
        """Close the queue here; calls that wait in other threads raise Closed. Items stay in the queue.

        May be called several times.
        """
        if not self._core.closed:
            self._kept.give_up()
            self._close_core()
        self._leave()

    _close_core = called(WaitingQueue.close)

    def _farewell(self) -> None:
        BlockingQueue.close(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- iteration

    def __iter__(self) -> Self:
        """Iterate over the items that ``get`` returns, until the queue is closed here."""
        return self

    def __next__(self) -> Any:
        try:
            return self._get(None)
        except Closed:
            raise StopIteration from None

    # -- fork

    def _forked(self) -> None:
        super()._forked()
        self._portal = None
        self._parked = 0
        self._kept.forget()
        if not self._core.closed:
            self._core = _Reopening(self, self._core)  # type: ignore[assignment]


def fails(function: Callable[..., object], *arguments: Any) -> bool:
    """Call a function again, to tell its own exception from one of a signal handler."""
    try:
        function(*arguments)
    except Exception:
        return True
    return False


def not_dumped(exc: Exception, dumps: Callable[..., bytes], *arguments: Any) -> NoReturn:
    """Raise SerializerError if *dumps* fails again; otherwise *exc*, which is a signal handler's."""
    if fails(dumps, *arguments):
        raise SerializerError(f"the item cannot be dumped: {exc!r}") from exc
    raise exc


def _not_loaded(data: bytes, exc: Exception) -> SerializerError:
    return SerializerError(f"{len(data)} bytes from the queue cannot be loaded: {exc!r}")


class _Reopening:
    """A placeholder for the async queue in a forked child, until its first use."""

    def __init__(self, owner: BlockingQueue[Any], parents: MessageQueue) -> None:
        self._owner = owner
        self._parents = parents
        self._lock = threading.Lock()
        self.closed = False

    def close(self) -> None:
        """Close the queue before its first use."""
        self.closed = True
        self._parents.abandon()

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._owner._core is self:
                if self.closed:
                    raise Closed("the queue is closed")
                core = self._parents.reopened()
                self._parents.abandon()
                self._owner._core = self._owner._kept.core = core
        return getattr(self._owner._core, name)
