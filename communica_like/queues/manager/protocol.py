"""What a QueueHost and a ManagerQueue say to each other after the manager's handshake: bytes, no pickles.

A frame is a kind, the number of the request that it belongs to, and what its kind needs. The client chooses
the numbers, and never uses one twice.

==========  =========================================================================================
ASK_ITEM    Give me an item, when there is one. -> ITEM
TRY_ITEM    The same, now. -> ITEM or REFUSED
GLANCE      As ASK_ITEM, with a word before it if there is none yet, or a large one. -> ITEM, or LATER and
            then ITEM, or COMING with its size and then ITEM. It may be asked again under the same number,
            until the ITEM has come.
TAKEN       The item of this number is mine: forget it.
ASK_ROOM    Keep room for an item, when there is some. -> ROOM
TRY_ROOM    The same, now. -> ROOM or REFUSED
FILL        An item for the room of this number.
OFFER       A large item for the room to come; held until then. -> HELD
FILL_HELD   The room of this number is for the offered item, whose number follows.
TRY_PUT     Put an item, now. -> DONE or REFUSED
MAY_POST    May I POST? Not into a queue that may be full. -> DONE or REFUSED
POST        Put an item; there is no answer.
UNTAKE      The item of this number, whether it was TAKEN or not, is not wanted after all.
BACK        What was asked for, given, kept or held under this number is not wanted any more.
SIZE        How many items are there? -> COUNT
TASK_DONE   Work on an item is done. -> DONE or REFUSED
JOIN        Tell me when work on all items that were put is done. -> DONE
==========  =========================================================================================

So an item has left the queue when its reader says TAKEN, and is in the queue when its writer says FILL. What
is between the two when a connection ends is as if it had not been asked for.
"""

from __future__ import annotations

import pickle
import struct
from enum import IntEnum
from typing import Any, Final, NamedTuple

from ...exceptions import RemoteProtocolError

__all__ = ["LARGE", "VERSION", "Frame", "Item", "Kind", "join_frame", "split_frame"]

VERSION: Final = 1
LARGE: Final = 32 * 1024  # bytes; what takes longer to send than it is worth to wait for

_HEADER: Final = struct.Struct("!BQ")
_NUMBER: Final = struct.Struct("!Q")


class Kind(IntEnum):
    """What a frame says."""

    ASK_ITEM = 1
    TRY_ITEM = 2
    TAKEN = 3
    ASK_ROOM = 4
    TRY_ROOM = 5
    FILL = 6
    OFFER = 7
    FILL_HELD = 8
    TRY_PUT = 9
    BACK = 10
    SIZE = 11
    GLANCE = 12
    TASK_DONE = 13
    JOIN = 14
    MAY_POST = 15
    POST = 16
    UNTAKE = 17
    ITEM = 32
    ROOM = 33
    HELD = 34
    DONE = 35
    REFUSED = 36
    COUNT = 37
    LATER = 38
    COMING = 39


_KINDS: Final = {kind.value: kind for kind in Kind}  # quicker than Kind(code)
_WITH_ITEM: Final = frozenset(
    {Kind.FILL, Kind.OFFER, Kind.TRY_PUT, Kind.POST, Kind.UNTAKE, Kind.ITEM}
)
_WITH_NUMBER: Final = frozenset({Kind.FILL_HELD, Kind.COUNT, Kind.COMING})


class Item(NamedTuple):
    """An item, as bytes.

    Whoever pickles it pickles the object that it stands for: so it comes out of the manager's own protocol at
    a program that knows nothing of this class, and nothing is unpickled on the way.

    Attributes:
        pickled: *data* is the pickle of an object; if not, the bytes themselves are the object.
    """

    pickled: bool
    data: bytes

    def __reduce__(self) -> tuple[Any, ...]:
        return (pickle.loads if self.pickled else bytes), (self.data,)

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return self.__reduce__()

    @classmethod
    def of(cls, obj: Any) -> Item:
        """Return the item of an object.

        Raises:
            Exception: what pickle, or the object, raises.
        """
        return cls(False, obj) if type(obj) is bytes else cls(True, pickle.dumps(obj))


class Frame(NamedTuple):
    """One message."""

    kind: Kind
    number: int
    item: Item | None = None
    value: int = 0


def join_frame(kind: Kind, number: int, item: Item | None = None, value: int = 0) -> bytes:
    """Return a frame as bytes."""
    header = _HEADER.pack(kind, number)
    if item is not None:
        return b"%b%c%b" % (header, item.pickled, item.data)
    return header + _NUMBER.pack(value) if kind in _WITH_NUMBER else header


def split_frame(data: bytes) -> Frame:
    """Return the frame in *data*.

    Raises:
        RemoteProtocolError: there is none.
    """
    try:
        code, number = _HEADER.unpack_from(data)
        kind = _KINDS[code]
        if kind in _WITH_ITEM:
            return Frame(kind, number, Item(bool(data[_HEADER.size]), data[_HEADER.size + 1 :]))
        if kind in _WITH_NUMBER:
            return Frame(kind, number, None, _NUMBER.unpack(data[_HEADER.size :])[0])
    except (struct.error, LookupError) as exc:
        raise RemoteProtocolError(f"no frame of a queue: {data[:20]!r} ({exc})") from exc
    return Frame(kind, number)
