"""The queue itself, in the process of a QueueHost."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple, Protocol

from .protocol import LARGE, Item, Kind

__all__ = ["Claimer", "Hearing", "HostedQueue"]

# Seconds that "empty" or "full" waits for a put that is half way.
_HALF_WAY: Final = 0.02


class Claimer(Protocol):
    """Somebody who takes items out and puts items in: one connection.

    Attributes:
        apart: whether what it says comes by another way than by the hearing.
    """

    apart: bool

    def tell(self, kind: Kind, number: int, item: Item | None = None, value: int = 0, /) -> object:
        """The answer to what was asked for under this number. It must not wait, or raise."""

    def alive(self) -> bool:
        """Whether it is worth while to give it anything."""


class Hearing(Protocol):
    """Receives what claimers say."""

    def when_heard(self, callback: Callable[[], object], /) -> None:
        """Call it when all is received that anybody has said before this; also that he is gone."""

    def call_later(self, seconds: float, callback: Callable[[], object], /) -> None:
        """Call it after this time. Only for callbacks of ``when_heard``."""


Key = tuple[Claimer, int]


class _Look(NamedTuple):
    """An attempt that may succeed when more is heard.

    Attributes:
        attempt: returns whether it succeeded.
        refuse: what to do if it did not.
        early: whether it may be made before all is heard.
        last: whether all is heard, and it waits for nothing but puts that are half way.
    """

    attempt: Callable[[], bool]
    refuse: Callable[[], object]
    early: bool
    last: bool = False


class HostedQueue:
    """Items, first in, first out, for any number of claimers in any number of threads. No call waits.

    An item that was given is a claim until its claimer says ``taken``. If it says ``back``, or leaves, the
    item is where it was, before all that came after it. Claims do not count as items in the queue, and room
    that was granted counts as taken.

    What the answer depends on may have been said, and not been heard: an item is put, its reader is gone.
    So "there is none" is answered when all is heard that was said before the question.

    Args:
        hearing: receives what the claimers say that are not apart.
        max_items: how many items it holds; 0: any number.
    """

    def __init__(self, hearing: Hearing, max_items: int = 0) -> None:
        self.max_items = max_items
        self._hearing = hearing
        self._lock = threading.Lock()
        self._items: deque[tuple[int, Item]] = deque()  # by age
        self._next_age = 0
        self._first_age = 0
        self._posters: set[Claimer] = set()
        self._claims: dict[Key, tuple[int, Item]] = {}
        self._rooms: dict[Key, None] = {}
        self._getters: dict[Key, None] = {}  # in the order in which they came
        self._putters: dict[Key, None] = {}
        self._joiners: dict[Key, None] = {}
        self._looks: dict[Key, _Look] = {}
        self._unfinished = 0  # items put, whenever that was, for which nobody has said task_done

    def ask_size(self, claimer: Claimer, number: int) -> None:
        """Tell how many items there are, with those that are about to be put."""

        def tell() -> bool:
            claimer.tell(Kind.COUNT, number, None, len(self._items) + len(self._rooms))
            return True

        with self._lock:
            self._try((claimer, number), tell, early=False)

    # -- out

    def ask_item(self, claimer: Claimer, number: int) -> None:
        """Give an item to the claimer, when there is one."""

        def ask() -> bool:
            self._getters[key] = None
            return True

        key = claimer, number
        with self._lock:
            early = not self._may_return(claimer)
            if early and self._items and not self._getters:
                self._give(key)  # it is alive: it asks
                self._serve()
            else:
                self._try(key, ask, early=early)

    def glance(self, claimer: Claimer, number: int) -> None:
        """The same, and say LATER if there is none yet, or COMING before a large one.

        It may be asked for already.
        """

        def is_given() -> bool:
            return key not in self._getters

        key = claimer, number
        with self._lock:
            if key in self._claims:
                return  # it is on its way
            self._getters[key] = None
            if self._items and (size := len(self._items[0][1].data)) > LARGE:
                claimer.tell(Kind.COMING, number, None, size)
                self._serve()
            else:
                self._serve()
                self._try(key, is_given, partial(claimer.tell, Kind.LATER, number))

    def try_item(self, claimer: Claimer, number: int) -> None:
        """Give an item to the claimer now, or say REFUSED."""

        def give() -> bool:
            if self._items:
                self._give(key)
                return True
            return False

        key = claimer, number
        with self._lock:
            refuse = partial(claimer.tell, Kind.REFUSED, number)
            self._try(key, give, refuse, early=not self._may_return(claimer))

    def taken(self, claimer: Claimer, number: int) -> None:
        """The claimer has what it was given."""
        with self._lock:
            self._claims.pop((claimer, number), None)

    def untake(self, claimer: Claimer, number: int, item: Item) -> None:
        """The item that was given is not wanted; if it was taken, it comes before all others now."""
        with self._lock:
            if (claimer, number) in self._claims:
                self._undo([(claimer, number)])
            else:
                self._first_age -= 1
                self._items.appendleft((self._first_age, item))
                self._serve()

    # -- in

    def expect_posts(self, claimer: Claimer) -> bool:
        """From now on the claimer puts items and waits for no word; return False if it must not.

        What it has put it takes for granted that others find, though it may not have been received yet.
        """
        with self._lock:
            if self.max_items:
                return False
            self._posters.add(claimer)
            return True

    def post(self, item: Item) -> None:
        """Put an item of such a claimer."""
        with self._lock:
            self._append(item)
            self._serve()

    def ask_room(self, claimer: Claimer, number: int) -> None:
        """Grant room for an item to the claimer, when there is some."""
        with self._lock:
            self._putters[claimer, number] = None
            self._serve()

    def try_room(self, claimer: Claimer, number: int) -> None:
        """Grant room for an item to the claimer now, or say REFUSED."""

        def grant() -> bool:
            if self._has_room():
                self._grant(key)
                return True
            return False

        key = claimer, number
        with self._lock:
            self._try(key, grant, partial(claimer.tell, Kind.REFUSED, number))

    def fill(self, claimer: Claimer, number: int, item: Item) -> None:
        """Put an item where room was granted."""
        with self._lock:
            if self._rooms.pop((claimer, number), self) is not self:
                self._append(item)
                self._serve()

    def try_put(self, claimer: Claimer, number: int, item: Item) -> None:
        """Put an item now, and say DONE; or say REFUSED."""

        def put() -> bool:
            if self._has_room():
                self._append(item)
                claimer.tell(Kind.DONE, number)
                return True
            return False

        with self._lock:
            self._try((claimer, number), put, partial(claimer.tell, Kind.REFUSED, number))

    # -- work on what was taken out

    def task_done(self) -> bool:
        """Work on one item is done; return False if there was none to be done."""
        with self._lock:
            if not self._unfinished:
                return False
            self._unfinished -= 1
            if not self._unfinished:
                joiners, self._joiners = self._joiners, {}
                for claimer, number in joiners:
                    claimer.tell(Kind.DONE, number)
            return True

    def ask_join(self, claimer: Claimer, number: int) -> None:
        """Say DONE when work on all items is done."""

        def join() -> bool:
            if self._unfinished:
                self._joiners[claimer, number] = None
            else:
                claimer.tell(Kind.DONE, number)
            return True

        with self._lock:
            self._try((claimer, number), join, early=self._unfinished > 0)

    # -- back

    def back(self, claimer: Claimer, number: int) -> None:
        """What the claimer asked for, or was given, it does not want any more."""
        with self._lock:
            self._undo([(claimer, number)])

    def withdraw(self, claimer: Claimer, number: int) -> None:
        """What the claimer asked for it does not want any more, if it was not given, or granted, it yet."""
        with self._lock:
            self._forget((claimer, number))
            self._serve()

    def leave(self, claimer: Claimer) -> None:
        """The claimer is gone."""
        with self._lock:
            self._posters.discard(claimer)
            tables: list[Iterable[Key]] = [self._rooms, self._claims, *self._requests()]
            self._undo([key for table in tables for key in table if key[0] is claimer])

    # -- the lock is held

    def _requests(self) -> tuple[dict[Key, None], dict[Key, None], dict[Key, None], dict[Key, _Look]]:
        return self._getters, self._putters, self._joiners, self._looks

    def _forget(self, key: Key) -> None:
        for table in self._requests():
            table.pop(key, None)

    def _undo(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._forget(key)
            self._rooms.pop(key, None)
            claim = self._claims.pop(key, None)
            if claim is not None:
                place = 0
                while place < len(self._items) and self._items[place][0] < claim[0]:
                    place += 1
                self._items.insert(place, claim)
        self._serve()

    def _append(self, item: Item) -> None:
        self._items.append((self._next_age, item))
        self._next_age += 1
        self._unfinished += 1

    def _has_room(self) -> bool:
        return not self.max_items or len(self._items) + len(self._rooms) < self.max_items

    def _give(self, key: Key) -> None:
        claim = self._claims[key] = self._items.popleft()
        key[0].tell(Kind.ITEM, key[1], claim[1])

    def _grant(self, key: Key) -> None:
        self._rooms[key] = None
        key[0].tell(Kind.ROOM, key[1])

    # -- and attempts

    def _may_return(self, claimer: Claimer) -> bool:
        """Whether an older item than the first one may come back, of whose reader's end this one knows.

        The hearing deals with ends before anything else, so only whom it does not hear may be too early.
        """
        return claimer.apart and _others(self._claims, claimer)

    def _may_change(self, claimer: Claimer) -> bool:
        """Whether others may have said what is not heard yet."""
        others = (each for each in self._posters if each is not claimer)
        return any(others) or _others(self._claims, claimer) or _others(self._rooms, claimer)

    def _try(
        self,
        key: Key,
        attempt: Callable[[], bool],
        refuse: Callable[[], object] = lambda: None,
        *,
        early: bool = True,
    ) -> None:
        """Make an attempt; if need be, again when all is heard that was said before this."""
        if (early or not self._may_change(key[0])) and attempt():
            self._serve()
        elif self._may_change(key[0]):
            self._looks[key] = _Look(attempt, refuse, early)
            self._hearing.when_heard(partial(self._heard, key))
        else:
            refuse()

    def _heard(self, key: Key, finally_: bool = False) -> None:
        with self._lock:
            look = self._looks.get(key)
            if look is None:
                return
            if look.attempt():
                del self._looks[key]
                self._serve()
            elif not finally_ and _others(self._rooms, key[0]):
                # Whoever was told that an item was put may ask before its writer's last word is here.
                self._looks[key] = look._replace(early=True, last=True)
                self._hearing.call_later(_HALF_WAY, partial(self._heard, key, True))
            else:
                del self._looks[key]
                look.refuse()

    def _serve(self) -> None:
        """Give what there is to those who wait for it."""
        while (self._getters or self._putters or self._looks) and self._serve_one():
            pass

    def _serve_one(self) -> bool:
        if self._items and self._getters:
            key = next(iter(self._getters))
            del self._getters[key]
            if key[0].alive():  # if not, it is about to leave
                self._give(key)
            return True
        if self._putters and self._has_room():
            key = next(iter(self._putters))
            del self._putters[key]
            if key[0].alive():
                self._grant(key)
            return True
        for key, look in self._looks.items():
            if look.early and look.attempt():
                del self._looks[key]
                return True
            if look.last and not _others(self._rooms, key[0]):
                del self._looks[key]
                look.refuse()
                return True
        return False


def _others(table: Iterable[Key], claimer: Claimer) -> bool:
    return any(key[0] is not claimer for key in table)
