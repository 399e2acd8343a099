"""The two System V queues of a link, and the pipes for notifications."""

from __future__ import annotations

import contextlib
import secrets
from functools import partial
from typing import Final, Self

from ...queues.sysv.sysvmq import SysVMQ
from ...serializers import RawSerializer
from .fifo_pipes import FifoPair
from .message_link import QueuePair

_ATTEMPTS: Final = 100  # to find a free key


class SysVPair(QueuePair):
    """One side of all of it, open. The side that closes last removes the queues.

    Attributes:
        pipes: by which the sides notify each other.
    """

    inwards: SysVMQ
    outwards: SysVMQ
    pipes: FifoPair

    @property
    def endpoints(self) -> tuple[str, str, str]:
        return (str(self.inwards.key), str(self.outwards.key), self.pipes.token)

    @classmethod
    def make(cls) -> Self:
        pair = cls()
        with contextlib.ExitStack() as undo:
            pair.inwards = pair._create_queue(undo)
            pair.outwards = pair._create_queue(undo)
            pair.pipes = FifoPair.make()
            undo.pop_all()
        return pair

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        keys = endpoints[:2]
        if len(endpoints) != 3 or not all(key.isascii() and key.isdecimal() and int(key) for key in keys):
            raise ValueError(f"two keys and the name of a pair of pipes are expected, not {endpoints!r}")
        pair = cls()
        with contextlib.ExitStack() as undo:
            pair.outwards, pair.inwards = (_opened(int(key), undo) for key in keys)
            pair.pipes = FifoPair.of_client(endpoints[2])
            undo.pop_all()
        return pair

    def remove(self) -> None:
        super().remove()
        self.pipes.remove()

    def _create_queue(self, undo: contextlib.ExitStack) -> SysVMQ:
        create = partial(SysVMQ, serializer=RawSerializer(), exclusive=True)
        for _ in range(_ATTEMPTS):
            key = secrets.randbelow(2**31 - 1) + 1
            with contextlib.suppress(FileExistsError):
                return self._create(undo, "sysvmq", str(key), partial(create, key))
        raise FileExistsError(f"no free key found in {_ATTEMPTS} attempts")


def _opened(key: int, undo: contextlib.ExitStack) -> SysVMQ:
    opened = SysVMQ(key, serializer=RawSerializer(), create=False)
    undo.callback(opened.close)
    return opened
