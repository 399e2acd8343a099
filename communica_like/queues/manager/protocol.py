"""What a QueueHost and a ManagerQueue say to each other after the manager's handshake: bytes, no pickles.

A frame is its length, a kind, the number of the request that it belongs to, and what its kind needs. The
client chooses the numbers, and never uses one twice.

==========  =========================================================================================
GET         Lease me an item, when there is one. -> ITEM; or LATER, which is a hint, and then ITEM
PUT         Hold this item, and keep room for it, when there is some. -> ROOM; or LATER, and then ROOM
NOW         Answer the GET or PUT of this number at once: as it asks, or REFUSED.
ACK         The leased item of this number is mine: forget it.
COMMIT      Put the item of this number, for which there is ROOM.
POST        Put an item; there is no answer. Only into a queue without a limit.
BACK        What was asked for, leased or held under this number is not wanted any more.
UNACK       The item of this number is not wanted after all, though an ACK was sent, or may have been.
SIZE        How many items are there? -> COUNT
TASK_DONE   Work on an item is done. -> DONE or REFUSED
JOIN        Tell me when work on all items that were put is done. -> DONE
==========  =========================================================================================

So an item has left the queue when its reader says ACK, and is in the queue when its writer says COMMIT or
POST. What is between the two when a connection ends is as if it had not been asked for.
"""

from __future__ import annotations

import pickle
import struct
from enum import IntEnum
from typing import Any, Final, NamedTuple

from ...exceptions import RemoteProtocolError

ATTACH_QUEUE: Final = "communica_like_queue"
"""The server's function after which a connection carries frames: VERSION, ident, max_items -> capacity."""

VERSION: Final = 2

LARGE: Final = 32 * 1024
"""Bytes of the largest item that is POSTed: what a Unix socket takes whole or not at all."""

_HEADER: Final = struct.Struct("!IBQ")
_AFTER_LENGTH: Final = struct.Struct("!BQ")
_COUNTS: Final = struct.Struct("!QQ")


class Kind(IntEnum):
    """What a frame says. Up to JOIN they come from clients, and name methods of HostedQueue."""

    GET = 1
    PUT = 2
    NOW = 3
    ACK = 4
    COMMIT = 5
    POST = 6
    BACK = 7
    UNACK = 8
    SIZE = 9
    TASK_DONE = 10
    JOIN = 11
    ITEM = 32
    ROOM = 33
    DONE = 34
    REFUSED = 35
    COUNT = 36
    LATER = 37


_KINDS: Final = {kind.value: kind for kind in Kind}  # quicker than Kind(code)
_WITH_ITEM: Final = frozenset({Kind.PUT, Kind.POST, Kind.UNACK, Kind.ITEM})


class Item(NamedTuple):
    """An item, as bytes.

    To pickle it is to pickle the object that it stands for. So it comes out of the manager's own protocol at
    a program that knows nothing of this class, and nothing is unpickled on the way.

    Attributes:
        pickled: *data* is the pickle of an object; if not, the bytes themselves are the object.
    """

    pickled: bool
    data: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return (pickle.loads if self.pickled else bytes), (self.data,)

    @classmethod
    def of(cls, obj: Any) -> Item:
        """Return the item of an object.

        Raises:
            Exception: what pickle, or the object, raises.
        """
        return cls(False, obj) if type(obj) is bytes else cls(True, pickle.dumps(obj))


class Frame(NamedTuple):
    """One message.

    Attributes:
        size, used: of COUNT: how many items the queue holds, and how many places are taken, by items, by
            those that are leased, and by those for which room is kept.
    """

    kind: Kind
    number: int
    item: Item | None = None
    size: int = 0
    used: int = 0


def join_frame(kind: Kind, number: int, item: Item | None = None, size: int = 0, used: int = 0) -> bytes:
    """Return a frame as bytes, its length among them."""
    if item is not None:
        length = _AFTER_LENGTH.size + 1 + len(item.data)
        return b"%b%c%b" % (_HEADER.pack(length, kind, number), item.pickled, item.data)
    if kind is Kind.COUNT:
        length = _AFTER_LENGTH.size + _COUNTS.size
        return _HEADER.pack(length, kind, number) + _COUNTS.pack(size, used)
    return _HEADER.pack(_AFTER_LENGTH.size, kind, number)


def split_frame(data: bytes) -> Frame:
    """Return the frame in *data*, which is without its length.

    Raises:
        RemoteProtocolError: there is none.
    """
    try:
        code, number = _AFTER_LENGTH.unpack_from(data)
        kind = _KINDS[code]
        if kind in _WITH_ITEM:
            return Frame(kind, number, Item(bool(data[9]), data[10:]))
        if kind is Kind.COUNT:
            return Frame(kind, number, None, *_COUNTS.unpack_from(data, 9))
    except (struct.error, LookupError) as exc:
        raise RemoteProtocolError(f"not a frame of a queue: {data[:20]!r} ({exc})") from exc
    return Frame(kind, number)
