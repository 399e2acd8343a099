"""RemoteQueue: what a ManagerQueue needs of the connection to its queue."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .protocol import Frame, Item

_LEASED, _ACKED, _VOID = range(3)


class Lease:
    """An item on its way out of a queue. It is out when ``ack`` returns.

    It is made before the item is asked for, so that an interrupted caller has what is to go back.

    Attributes:
        remote: the connection that the item comes by.
        number: under which the other side knows of it; 0: it was not asked for yet.
        item: None: it has not come.
    """

    __slots__ = ("_state", "item", "number", "remote")

    def __init__(self, remote: RemoteQueue | None = None) -> None:
        self._state = _LEASED
        self.remote = remote
        self.number = 0
        self.item: Item | None = None

    @property
    def unwanted(self) -> bool:
        """Whether ``back`` was called."""
        return self._state == _VOID

    def ack(self) -> None:
        """Take the item for good.

        Raises:
            ConnectionLost: the other side does not hear of it any more: the item is not taken.
        """
        assert self.remote is not None
        self._state = _ACKED  # before it is: a signal may come at any point
        self.remote.ack(self)

    def back(self) -> None:
        """Give the item back, even if ``ack`` was called, and even if it has not come. From any thread."""
        state, self._state = self._state, _VOID
        if state != _VOID and self.number and self.remote is not None:
            self.remote.back(self, acked=state == _ACKED)

    def void(self) -> None:
        """Forget it: there is no such item."""
        self._state = _VOID


class RemoteQueue(ABC):
    """One connection to one queue. Once it is lost, it is of no more use.

    Raises (all calls that ask the other side):
        ConnectionLost: it is gone, or does not answer. If ``sent`` is False nothing was put or taken.
        Closed: ``close`` was called here.

    Attributes:
        capacity: how many items the queue holds; 0: any number.
    """

    capacity: int = 0

    @property
    @abstractmethod
    def lost(self) -> bool:
        """Whether the connection is known to have ended."""

    # -- from any thread; they wait for one answer

    @abstractmethod
    def get_nowait(self, lease: Lease) -> None:
        """Lease an item, or raise queue.Empty."""

    @abstractmethod
    def put_nowait(self, item: Item) -> None:
        """Put an item, or raise queue.Full.

        It may return before the other side has the item, which others find there nevertheless.
        """

    @abstractmethod
    def ack(self, lease: Lease) -> None:
        """Say that the item of a lease is taken; return when the other side is certain to hear it."""

    @abstractmethod
    def back(self, lease: Lease, *, acked: bool) -> None:
        """Put the item of a lease back where it was.

        Args:
            acked: whether the other side may have heard that it was taken.
        """

    @abstractmethod
    def size(self) -> Frame:
        """Return a COUNT: how many items there are, and how many places are taken."""

    @abstractmethod
    def task_done(self) -> None:
        """Count the work on an item as done; ValueError: there was none to be done."""

    # -- from the event loop; if one is cancelled, it was not done

    @abstractmethod
    async def get(self, lease: Lease, timeout: float | None) -> None:
        """Lease an item, or raise queue.Empty. ``ack`` at once after this does not have to wait."""

    @abstractmethod
    async def put(self, item: Item, timeout: float | None) -> None:
        """Put an item, or raise queue.Full."""

    @abstractmethod
    async def join(self) -> None:
        """Wait until work on all items is done."""

    # --

    @abstractmethod
    def close(self) -> None:
        """End the connection. What was leased, and not acknowledged, goes back."""

    def hang_up(self) -> None:
        """End the connection, and wait for nothing. It may be called anywhere, at any time."""
        self.close()

    async def wait_closed(self) -> None:
        """Wait until ``close`` has done all that it does, a second or so at most."""
        return
