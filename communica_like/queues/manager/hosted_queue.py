"""HostedQueue: the queue itself, in the process of a QueueHost."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from ...exceptions import RemoteProtocolError
from .protocol import Item, Kind


class Client(Protocol):
    """A connection that gets items and puts items."""

    def tell(
        self, kind: Kind, number: int, item: Item | None = None, size: int = 0, used: int = 0, /
    ) -> object:
        """Answer what was asked for under this number. Must not wait, or raise."""


Key = tuple[Client, int]
"""A request: whose it is, and its number."""

WhenHeard = Callable[[Callable[[], object]], object]
"""Has a callback called when all is heard that any client has said before this."""


class HostedQueue:
    """Items, first in, first out, for any number of clients. No call waits; all are made by one thread.

    An item that is leased stays out of others' reach until its client says ``ack``. If the client says
    ``back``, or leaves, the item is where it was, before all that came after it. Leased items, and those for
    which room is kept, take places in a queue with a limit.

    What an answer depends on may have been said, and not been heard yet: an item was put, a reader is gone.
    So what a client asks is answered when all is heard that was said before it asked.

    Args:
        when_heard: see WhenHeard.
        max_items: how many items it holds; 0: any number.
    """

    def __init__(self, when_heard: WhenHeard, max_items: int = 0) -> None:
        self.max_items = max_items
        self._when_heard = when_heard
        self._items: deque[tuple[int, Item]] = deque()  # by age
        self._next_age = 0
        self._first_age = 0
        self._leases: dict[Key, tuple[int, Item]] = {}
        self._rooms: dict[Key, Item] = {}
        # These three in the order in which they came.
        self._getters: dict[Key, None] = {}
        self._putters: dict[Key, Item] = {}
        self._joiners: dict[Key, None] = {}
        self._requests: tuple[dict[Key, Any], ...]
        self._requests = self._getters, self._putters, self._joiners, self._rooms
        self._unheard: set[Key] = set()  # requests before which not all is heard
        self._hurried: set[Key] = set()  # those that are to be answered NOW
        self._unfinished = 0  # items put, whenever that was, for which task_done was not called

    # -- what is asked

    def get(self, client: Client, number: int) -> None:
        """Lease an item to the client, when there is one; tell LATER if that is not now."""
        self._getters[client, number] = None
        self._admit_later((client, number), self._serve)

    def put(self, client: Client, number: int, item: Item) -> None:
        """Hold an item; tell ROOM when there is some, and LATER if that is not now."""
        self._putters[client, number] = item
        self._admit_later((client, number), self._serve)

    def now(self, client: Client, number: int) -> None:
        """Answer a get or put at once: as it asks, or with REFUSED."""

        def refuse() -> None:
            if self._waits(key):
                self._forget(key)
                client.tell(Kind.REFUSED, number)
                self._serve()

        key = client, number
        self._hurried.add(key)
        self._when_heard(refuse)

    def size(self, client: Client, number: int) -> None:
        """Tell how many items there are, and how many places are taken."""

        def tell() -> None:
            client.tell(Kind.COUNT, number, None, len(self._items), self._used())

        self._when_heard(tell)

    def task_done(self, client: Client, number: int) -> None:
        """Count the work on one item as done: DONE. REFUSED, if there was none to be done."""

        def finish() -> None:
            if not self._unfinished:
                client.tell(Kind.REFUSED, number)
                return
            self._unfinished -= 1
            client.tell(Kind.DONE, number)
            self._join()

        self._when_heard(finish)

    def join(self, client: Client, number: int) -> None:
        """Tell DONE when work on all items is done."""
        self._joiners[client, number] = None
        self._admit_later((client, number), self._join)

    # -- what is stated

    def ack(self, client: Client, number: int) -> None:
        """The client has taken the item that it was leased."""
        if self._leases.pop((client, number), None) is not None:
            self._serve()

    def unack(self, client: Client, number: int, item: Item) -> None:
        """Take an item back whose ack may have been sent: into its place, or else before all others."""
        if (client, number) in self._leases:
            self.back(client, number)
        else:
            self._first_age -= 1
            self._items.appendleft((self._first_age, item))
            self._serve()

    def commit(self, client: Client, number: int) -> None:
        """Put the held item for which room was kept."""
        item = self._rooms.pop((client, number), None)
        if item is not None:
            self._append(item)

    def post(self, client: Client, number: int, item: Item) -> None:
        """Put an item, into a queue without a limit."""
        if self.max_items:
            raise RemoteProtocolError("POST into a queue with a limit")
        self._append(item)

    def back(self, client: Client, number: int) -> None:
        """Drop a request, or what was held for it; put the item that was leased where it was."""
        self._forget((client, number))
        self._serve()

    def leave(self, client: Client) -> None:
        """Do the same for all that a client has asked for."""
        for table in (*self._requests, self._leases):
            for key in [key for key in table if key[0] is client]:
                self._forget(key)
        self._serve()

    # --

    def _append(self, item: Item) -> None:
        self._items.append((self._next_age, item))
        self._next_age += 1
        self._unfinished += 1
        self._serve()

    def _admit_later(self, key: Key, then: Callable[[], object]) -> None:
        self._unheard.add(key)
        self._when_heard(partial(self._admit, key, then))

    def _admit(self, key: Key, then: Callable[[], object]) -> None:
        self._unheard.discard(key)
        then()
        if self._waits(key) and key not in self._hurried:
            key[0].tell(Kind.LATER, key[1])

    def _waits(self, key: Key) -> bool:
        return key in self._getters or key in self._putters

    def _forget(self, key: Key) -> None:
        for table in self._requests:
            table.pop(key, None)
        self._unheard.discard(key)
        self._hurried.discard(key)
        lease = self._leases.pop(key, None)
        if lease is not None:
            place = 0
            while place < len(self._items) and self._items[place][0] < lease[0]:
                place += 1
            self._items.insert(place, lease)

    def _used(self) -> int:
        return len(self._items) + len(self._leases) + len(self._rooms)

    def _serve(self) -> None:
        """Give what there is to those who wait for it."""
        while self._items and self._getters:
            key = next(iter(self._getters))
            if key in self._unheard:
                break
            del self._getters[key]
            self._hurried.discard(key)
            lease = self._leases[key] = self._items.popleft()
            key[0].tell(Kind.ITEM, key[1], lease[1])
        while self._putters and (not self.max_items or self._used() < self.max_items):
            key = next(iter(self._putters))
            if key in self._unheard:
                break
            self._hurried.discard(key)
            self._rooms[key] = self._putters.pop(key)
            key[0].tell(Kind.ROOM, key[1])

    def _join(self) -> None:
        """Tell those who wait in join, if work on all items is done."""
        if not self._unfinished:
            for key in [key for key in self._joiners if key not in self._unheard]:
                del self._joiners[key]
                key[0].tell(Kind.DONE, key[1])
