"""What a ManagerQueue needs of the connection to its queue, whoever hosts it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ...aio.waiters import Place
from .protocol import Item

__all__ = ["Claim", "Claims", "Offer", "RemoteQueue"]

_CLAIMED, _TAKEN, _VOID = range(3)


class Offer:
    """An item on its way in.

    Attributes:
        item: what it is.
        number: under which the other side holds it already, or None.
    """

    def __init__(self, item: Item, number: int | None = None) -> None:
        self.item = item
        self.number = number


class Claim:
    """An item on its way out: it is out when ``take`` returns it.

    Args:
        remote: the connection that it comes by.
        number: under which the other side knows of it.

    Attributes:
        item: what it is; None: it has not come.
    """

    __slots__ = ("_remote", "_state", "item", "number")

    def __init__(self, remote: RemoteQueue, number: int, item: Item | None = None) -> None:
        self._remote = remote
        self._state = _CLAIMED
        self.number = number
        self.item = item

    def take(self) -> Item:
        """Take it for good.

        Raises:
            Closed: the connection was closed here meanwhile, and the item went back.
        """
        assert self.item is not None
        self._state = _TAKEN  # before it is: a signal may come at any point
        self._remote.taken(self)
        return self.item

    def back(self) -> None:
        """It is not wanted any more; also if it was taken. Any thread may say so."""
        state, self._state = self._state, _VOID
        if state == _CLAIMED:
            self._remote.unclaim(self)
        elif state == _TAKEN:
            self._remote.untake(self)

    def void(self) -> None:
        """There is no such item."""
        self._state = _VOID


class Claims(list[Claim]):
    """Where the claims of one caller are put, who may have gone when they come.

    Attributes:
        unwanted: whether he has.
    """

    unwanted = False

    def back(self) -> None:
        """The caller wants none of them, nor those that are still to come. Any thread may say so."""
        self.unwanted = True
        for claim in self:
            claim.back()


class RemoteQueue(ABC):
    """One connection to one queue. When it is lost, it is of no more use.

    Raises (all calls that ask the other side):
        ConnectionLost: it is gone, or does not answer.

    Attributes:
        lost: whether the connection is known to have ended.
        capacity: how many items the queue holds; 0: any number.
    """

    lost: bool = False
    capacity: int = 0

    # -- from any thread; they wait for one answer

    @abstractmethod
    def put_nowait(self, item: Item) -> None:
        """Put an item, or raise queue.Full."""

    @abstractmethod
    def post(self, item: Item) -> None:
        """The same. It may return before the other side has the item, which others find nevertheless."""

    @abstractmethod
    def get_nowait(self, claims: Claims) -> None:
        """Claim an item, or raise queue.Empty.

        Args:
            claims: where to put the claim. It is there before the item is: so if a signal interrupts this,
                the caller has what is to go back.
        """

    @abstractmethod
    def qsize(self) -> int:
        """Return how many items there are."""

    @abstractmethod
    def task_done(self) -> None:
        """Work on an item is done; ValueError: there was none to be done."""

    @abstractmethod
    def taken(self, claim: Claim) -> None:
        """See Claim.take."""

    @abstractmethod
    def unclaim(self, claim: Claim) -> None:
        """The item of a claim goes back to where it was."""

    @abstractmethod
    def untake(self, claim: Claim) -> None:
        """An item that was taken, or was about to be, goes back, before all others."""

    # -- from the event loop; if one is cancelled, it was not done

    @abstractmethod
    async def join(self) -> None:
        """Wait until work on all items is done."""

    @abstractmethod
    async def offer(self, item: Item) -> Offer:
        """Return the item as ``fill`` and ``try_fill`` take it."""

    @abstractmethod
    def quick_take(self) -> Claim | None:
        """Claim an item, or raise queue.Empty.

        None: there is none at once. When there is one it is for those who wait in line, or for the next call.
        """

    @abstractmethod
    def quick_fill(self, offer: Offer) -> bool:
        """Put an item, or raise queue.Full. False: there is no answer yet, and nothing was put.

        The caller is the first in the line of the putters.
        """

    @abstractmethod
    async def try_take(self, place: Place) -> Claim:
        """Claim an item, or raise queue.Empty. Only after ``quick_take`` has returned None.

        Args:
            place: of the caller, in the line of the getters; the first one.
        """

    @abstractmethod
    async def take_now(self) -> Claim:
        """Claim an item, or raise queue.Empty; nothing is asked for that may come later."""

    @abstractmethod
    async def try_fill(self, offer: Offer) -> None:
        """Put an item, or raise queue.Full."""

    # -- attempts of those who wait in line

    @abstractmethod
    def take(self) -> Claim:
        """Claim the item that came in for those who wait, or raise queue.Empty. Asks nobody."""

    @abstractmethod
    def fill(self, offer: Offer) -> None:
        """Put an item where room was found for those who wait, or raise queue.Full."""

    @abstractmethod
    def withdraw(self, offer: Offer) -> None:
        """An item will not be put after all."""

    @abstractmethod
    def watch_items(self) -> None:
        """Somebody waits for an item."""

    @abstractmethod
    def ignore_items(self) -> None:
        """Nobody does any more."""

    @abstractmethod
    def watch_room(self) -> None:
        """Somebody waits for room."""

    @abstractmethod
    def ignore_room(self) -> None:
        """Nobody does any more."""

    # --

    @abstractmethod
    def hang_up(self) -> None:
        """End the connection at once. It takes no locks, for it may be called anywhere, at any time."""

    @abstractmethod
    def close(self) -> None:
        """End the connection; what was taken for nobody goes back. May return before that is done."""

    @abstractmethod
    def wait_closed(self) -> None:
        """Wait until that is done, a second or so at most."""
