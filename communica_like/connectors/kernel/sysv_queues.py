"""The two System V queues of a link, and the pipes by which its sides wake each other."""

from __future__ import annotations

import contextlib
import secrets
from typing import Final, Self

from ...queues.sysv.sysvmq import SysVMQ
from ...serializers import RawSerializer
from ...system import Registration, register
from .fifo_pipes import FifoPair

__all__ = ["SysVPair"]

_ATTEMPTS: Final = 100  # to find a key that is free
_PIECES: Final = 2  # messages that a queue holds: one is written while the other is read


class SysVPair:
    """All of it, open. Whoever is the last to let go removes the queues.

    Attributes:
        inwards, outwards: where this side reads, and where it writes.
        pipes: the doorbells of both sides.
        largest: bytes of the largest message.
    """

    def __init__(
        self, inwards: SysVMQ, outwards: SysVMQ, pipes: FifoPair, entries: tuple[Registration, ...] = ()
    ) -> None:
        self.inwards = inwards
        self.outwards = outwards
        self.pipes = pipes
        self._entries = entries
        self.largest = outwards.guarantees.largest_item or 0

    @property
    def endpoints(self) -> tuple[str, str, str]:
        """How a client tells a server of it."""
        return (str(self.inwards.key), str(self.outwards.key), self.pipes.token)

    @classmethod
    def make(cls) -> Self:
        """Make a pair, as a client.

        Raises:
            QueueLimitReached: there is no room for it.
            FeatureNotAvailable: sysv_ipc is not installed.
            LinkError, OSError: the pipes cannot be made.
        """
        with contextlib.ExitStack() as undo:
            made, entries = [], []
            for _ in range(2):
                each, entry = _make_queue()
                undo.callback(entry.remove)
                undo.callback(each.close)
                undo.callback(each.unlink)
                made.append(each)
                entries.append(entry)
            pair = cls(made[0], made[1], FifoPair.make(), tuple(entries))
            undo.pop_all()
        return pair

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        """Open what a client made.

        Raises:
            ValueError: no client calls it so.
            FileNotFoundError: it is not there any more.
            OSError: it cannot be opened.
        """
        keys = endpoints[:2]
        if len(endpoints) != 3 or not all(key.isascii() and key.isdecimal() and int(key) for key in keys):
            raise ValueError(f"two keys and the name of a pair of pipes are expected, not {endpoints!r}")
        with contextlib.ExitStack() as undo:
            opened = []
            for key in (endpoints[1], endpoints[0]):
                opened.append(SysVMQ(int(key), serializer=RawSerializer(), create=False))
                undo.callback(opened[-1].close)
            pair = cls(opened[0], opened[1], FifoPair.of_client(endpoints[2]))
            undo.pop_all()
        return pair

    def hang_up(self) -> None:
        """Close the pipe by which this side rings the other one: that is the end, for the other one."""
        self.pipes.hang_up()

    def remove(self) -> None:
        """Remove the queues, if they are still there, and close everything."""
        for each in (self.inwards, self.outwards):
            with contextlib.suppress(FileNotFoundError):
                each.unlink()
            each.close()
        for entry in self._entries:
            entry.remove()
        self.pipes.remove()


def _make_queue() -> tuple[SysVMQ, Registration]:
    """Return a queue that nobody had, and its place in the ledger, where it is first."""
    for _ in range(_ATTEMPTS):
        key = secrets.randbelow(2**31 - 1) + 1
        entry = register("sysvmq", str(key))
        try:
            return SysVMQ(key, serializer=RawSerializer(), exclusive=True), entry
        except FileExistsError:
            entry.remove()
        except BaseException:
            entry.remove()
            raise
    raise FileExistsError(f"no free key found in {_ATTEMPTS} attempts")
