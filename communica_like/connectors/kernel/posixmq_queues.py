"""The two POSIX queues of a link."""

from __future__ import annotations

import contextlib
import re
import secrets
from typing import Final, Self

from ...exceptions import QueueLimitReached
from ...queues.posixmq import PosixMQ
from ...serializers import RawSerializer
from ...system import Registration, register
from ...system.sysctl import sysctl

__all__ = ["PosixMQPair"]

_TOKEN: Final = re.compile(r"[0-9a-f]{24}")

# The kernel lends each user 800 KiB for all queues (RLIMIT_MSGQUEUE). So links get the smaller the more there
# are: a pair of a size is made only if there is room for eight others, and for a queue of the user's. With
# the default limits some 40 clients leave that much, and over 100 find room.
_SIZES: Final = ((4, 8192), (4, 4096), (4, 2048), (2, 2048), (2, 1024), (2, 512), (2, 256))
_SPARE: Final = 8
_USERS: Final = (10, 8192)  # what the kernel allows by default, and PosixMQ asks for
_OVERHEAD: Final = 96  # bytes that count for each message beside its own: see mq_overview(7) and getrlimit(2)


class PosixMQPair:
    """Both of them, open. Their names belong to the side that made them, until the other side removes them.

    Attributes:
        token: what they are called.
        inwards, outwards: where this side reads, and where it writes.
        largest: bytes of the largest message.
    """

    def __init__(
        self, token: str, inwards: PosixMQ, outwards: PosixMQ, entries: tuple[Registration, ...] = ()
    ) -> None:
        self.token = token
        self.inwards = inwards
        self.outwards = outwards
        self.largest = outwards.guarantees.largest_item or 0
        self._entries = entries

    @property
    def endpoints(self) -> tuple[str]:
        """How a client tells a server of it."""
        return (self.token,)

    @classmethod
    def make(cls) -> Self:
        """Make a pair, as a client, of the largest size that leaves room for some others.

        Raises:
            QueueLimitReached: there is no room for the smallest one.
            FeatureNotAvailable: posix_ipc is not installed.
        """
        for max_items, max_item_size in _SIZES[:-1]:
            with contextlib.suppress(QueueLimitReached):
                pair = cls._make(max_items, max_item_size)
                with contextlib.ExitStack() as undo:
                    undo.callback(pair.remove)
                    if _has_room(max_items, max_item_size):
                        undo.pop_all()
                        return pair
        return cls._make(*_SIZES[-1])

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        """Open what a client made, and remove the names.

        Raises:
            ValueError: no client calls it so.
            FileNotFoundError: it is not there any more.
            PermissionError: it is another user's.
        """
        if len(endpoints) != 1 or not _TOKEN.fullmatch(endpoints[0]):
            raise ValueError(f"no pair of queues is called {endpoints!r}")
        outwards, inwards = _names(endpoints[0])
        with contextlib.ExitStack() as opened:
            reading = PosixMQ(inwards, serializer=RawSerializer(), create=False)
            opened.callback(reading.close)
            writing = PosixMQ(outwards, serializer=RawSerializer(), create=False)
            opened.pop_all()
        pair = cls(endpoints[0], reading, writing)
        pair.unlink()
        return pair

    def unlink(self) -> None:
        """Remove the names, if they are still there."""
        for each in (self.inwards, self.outwards):
            with contextlib.suppress(FileNotFoundError):
                each.unlink()
        for entry in self._entries:
            entry.remove()

    def remove(self) -> None:
        """Close the queues, and remove their names."""
        self.unlink()
        self.inwards.close()
        self.outwards.close()

    @classmethod
    def _make(cls, max_items: int, max_item_size: int) -> Self:
        token = secrets.token_hex(12)
        names = _names(token)
        entries = tuple(register("posixmq", name) for name in names)
        made: list[PosixMQ] = []
        try:
            made.append(PosixMQ(names[0], max_items, max_item_size, RawSerializer(), exclusive=True))
            made.append(PosixMQ(names[1], max_items, max_item_size, RawSerializer(), exclusive=True))
        except BaseException:
            for each in made:
                each.unlink()
                each.close()
            for entry in entries:
                entry.remove()
            raise
        return cls(token, made[0], made[1], entries)


def _names(token: str) -> tuple[str, str]:
    """Return the names of the queue that the client reads, and of the one that it writes."""
    return f"/communica_like-{token}-in", f"/communica_like-{token}-out"


def _has_room(max_items: int, max_item_size: int) -> bool:
    """Return whether the user may have some more pairs of this size. Nobody tells but by making queues."""
    most, largest = sysctl("fs.mqueue.msg_max"), sysctl("fs.mqueue.msgsize_max")
    probe = (min(_USERS[0], most or _USERS[0]), min(_USERS[1], largest or _USERS[1]))
    wanted = _SPARE * 2 * _cost(max_items, max_item_size) + _cost(*_USERS)
    probes: list[PosixMQ] = []
    name = f"/communica_like-{secrets.token_hex(12)}-probe"
    entry = register("posixmq", name)
    try:
        while wanted > 0:
            items = min(probe[0], -(-wanted // _cost(1, probe[1])))
            probes.append(PosixMQ(name, items, probe[1], exclusive=True))
            probes[-1].unlink()
            wanted -= _cost(items, probe[1])
    except QueueLimitReached:
        return False
    finally:
        for each in probes:
            each.close()
        entry.remove()
    return True


def _cost(max_items: int, max_item_size: int) -> int:
    """Return the bytes that a queue of this size counts for."""
    return max_items * (max_item_size + _OVERHEAD)
