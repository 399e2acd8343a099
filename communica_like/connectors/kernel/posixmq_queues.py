"""The two POSIX queues of a link."""

from __future__ import annotations

import contextlib
import re
import secrets
from functools import partial
from typing import Final, Self

from ...exceptions import QueueLimitReached
from ...queues.posixmq import PosixMQ
from ...serializers import RawSerializer
from ...system import register
from ...system.sysctl import sysctl
from .message_link import QueuePair

_TOKEN: Final = re.compile(r"[0-9a-f]{24}")

# The kernel gives each user 800 KiB for all queues (RLIMIT_MSGQUEUE). So links get smaller the more there
# are: a pair of a size is made only if there is room for eight others, and for a queue of the user's. With
# the default limits some 40 clients leave that much, and over 100 find room.
_SIZES: Final = ((4, 8192), (4, 4096), (4, 2048), (2, 2048), (2, 1024), (2, 512), (2, 256))
_SPARE_PAIRS: Final = 8
_DEFAULT_SIZE: Final = (10, 8192)  # what the kernel allows by default, and PosixMQ asks for
_OVERHEAD: Final = 96  # bytes that count for each message beside its own: see mq_overview(7) and getrlimit(2)


class PosixMQPair(QueuePair):
    """One side of both queues, open. The server removes the names that a client made.

    Args:
        token: the variable part of the names.
    """

    inwards: PosixMQ
    outwards: PosixMQ

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token

    @property
    def endpoints(self) -> tuple[str]:
        return (self.token,)

    @classmethod
    def make(cls) -> Self:
        """Make a pair, as a client, of the largest size that leaves room for some others.

        Raises:
            QueueLimitReached: there is no room for the smallest one.
            FeatureNotAvailable: posix_ipc is not installed.
        """
        for size in _SIZES[:-1]:
            with contextlib.suppress(QueueLimitReached):
                if _has_room(*size):
                    return cls._make(*size)
        return cls._make(*_SIZES[-1])

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        """Open the pair that a client made, and remove the names. See Pair.of_client.

        Raises:
            PermissionError: it is another user's.
        """
        if len(endpoints) != 1 or not _TOKEN.fullmatch(endpoints[0]):
            raise ValueError(f"no pair of queues is called {endpoints!r}")
        pair = cls(endpoints[0])
        outwards, inwards = _names(pair.token)
        with contextlib.ExitStack() as undo:
            pair.inwards = PosixMQ(inwards, serializer=RawSerializer(), create=False)
            undo.callback(pair.inwards.close)
            pair.outwards = PosixMQ(outwards, serializer=RawSerializer(), create=False)
            undo.pop_all()
        pair.unlink()
        return pair

    @classmethod
    def _make(cls, max_items: int, max_item_size: int) -> Self:
        pair = cls(secrets.token_hex(12))
        create = partial(
            PosixMQ,
            max_items=max_items,
            max_item_size=max_item_size,
            serializer=RawSerializer(),
            exclusive=True,
        )
        inwards, outwards = _names(pair.token)
        with contextlib.ExitStack() as undo:
            pair.inwards = pair._create(undo, "posixmq", inwards, partial(create, inwards))
            pair.outwards = pair._create(undo, "posixmq", outwards, partial(create, outwards))
            undo.pop_all()
        return pair


def _names(token: str) -> tuple[str, str]:
    """Return the names of the queues that the client reads and writes."""
    return f"/communica_like-{token}-in", f"/communica_like-{token}-out"


def _has_room(max_items: int, max_item_size: int) -> bool:
    """Return whether there is room for a pair of this size, and some more.

    Only making queues can tell.
    """
    defaults = zip(("msg_max", "msgsize_max"), _DEFAULT_SIZE, strict=True)
    items, size = (min(wanted, sysctl(f"fs.mqueue.{name}") or wanted) for name, wanted in defaults)
    missing = 2 * (1 + _SPARE_PAIRS) * _cost(max_items, max_item_size) + _cost(*_DEFAULT_SIZE)
    probes: list[PosixMQ] = []
    name = f"/communica_like-{secrets.token_hex(12)}-probe"
    registration = register("posixmq", name)
    try:
        while missing > 0:
            probe = min(items, -(-missing // _cost(1, size)))
            probes.append(PosixMQ(name, probe, size, exclusive=True))
            probes[-1].unlink()
            missing -= _cost(probe, size)
    except QueueLimitReached:
        return False
    finally:
        for each in probes:
            each.close()
        registration.remove()
    return True


def _cost(max_items: int, max_item_size: int) -> int:
    """Return the bytes that a queue of this size counts for."""
    return max_items * (max_item_size + _OVERHEAD)
