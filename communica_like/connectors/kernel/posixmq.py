"""PosixMQConnector: links over POSIX message queues."""

from __future__ import annotations

import contextlib
import re
import secrets
from dataclasses import dataclass, field
from typing import ClassVar, Final, Self

from ...abc import PeerIdentity
from ...exceptions import QueueLimitReached
from ...queues.posixmq import PosixMQ
from ...serializers import RawSerializer
from ...system import ProcessId, fork, register
from ...system.sysctl import sysctl
from ..url import check_authkey, check_text
from .connector import KernelConnector
from .message_link import MessageLink, QueuePair
from .rendezvous import LARGEST_REQUEST, token_of

_NAME: Final = re.compile(r"/[^/\x00]+")
_RENDEZVOUS_SIZE: Final = 10  # what the kernel allows by default: fs.mqueue.msg_max
_READ_LIMIT: Final = 64  # messages that are read at one go
_END_TIMEOUT: Final = 0.5  # seconds for the other side to make room for the end

# The kernel gives each user 800 KiB for all queues (RLIMIT_MSGQUEUE). So links get smaller the more there
# are: a pair of a size is made only if there is room for eight others, and for a queue of the user's. With
# the default limits some 40 clients leave that much, and over 100 find room.
_SIZES: Final = ((4, 8192), (4, 4096), (4, 2048), (2, 2048), (2, 1024), (2, 512), (2, 256))
_SPARE_PAIRS: Final = 8
_DEFAULT_SIZE: Final = (10, 8192)  # what the kernel allows by default, and PosixMQ asks for
_OVERHEAD: Final = 96  # bytes that count for each message beside its own: see mq_overview(7) and getrlimit(2)


class PosixMQPair(QueuePair):
    """One side of the two queues of a link."""

    inwards: PosixMQ
    outwards: PosixMQ

    def __init__(self, token: str | None = None) -> None:
        super().__init__(token)
        self._names = tuple(f"/communica_like-{self.token}-{end}" for end in ("in", "out"))  # of the client

    @classmethod
    def make(cls) -> Self:
        """Make a pair of the largest size that leaves room for some others."""
        for size in _SIZES[:-1]:
            with contextlib.suppress(QueueLimitReached):
                if _has_room(*size):
                    return cls._make(*size)
        return cls._make(*_SIZES[-1])

    @classmethod
    def of_client(cls, *endpoints: str) -> Self:
        pair = cls(token_of(endpoints))
        outwards, inwards = pair._names
        with contextlib.ExitStack() as undo:
            opened = PosixMQ(inwards, serializer=RawSerializer(), create=False)
            pair.inwards = undo.enter_context(contextlib.closing(opened))
            pair.outwards = PosixMQ(outwards, serializer=RawSerializer(), create=False)
            undo.pop_all()
        pair.unlink()
        return pair

    @classmethod
    def _make(cls, items: int, size: int) -> Self:
        pair = cls()
        with contextlib.ExitStack() as undo:
            pair.inwards, pair.outwards = (
                pair._create(undo, "posixmq", PosixMQ, name, max_items=items, max_item_size=size)
                for name in pair._names
            )
            undo.pop_all()
        return pair


def _has_room(max_items: int, max_item_size: int) -> bool:
    """Return whether there is room for a pair of this size, and some more. Only making queues can tell."""
    defaults = zip(("msg_max", "msgsize_max"), _DEFAULT_SIZE, strict=True)
    items, size = (min(wanted, sysctl(f"fs.mqueue.{name}") or wanted) for name, wanted in defaults)
    missing = 2 * (1 + _SPARE_PAIRS) * _cost(max_items, max_item_size) + _cost(*_DEFAULT_SIZE)
    name = f"/communica_like-{secrets.token_hex(12)}-probe"
    with contextlib.ExitStack() as probes:
        probes.callback(register("posixmq", name).remove)
        try:
            while missing > 0:
                count = min(items, -(-missing // _cost(1, size)))
                probe = PosixMQ(name, count, size, exclusive=True)
                probes.callback(probe.close)
                probe.unlink()
                missing -= _cost(count, size)
        except QueueLimitReached:
            return False
    return True


def _cost(max_items: int, max_item_size: int) -> int:
    """Return the bytes that a queue of this size counts for."""
    return max_items * (max_item_size + _OVERHEAD)


class PosixMQLink(MessageLink):
    """One end of a link over two POSIX queues. For arguments see StartedLink."""

    def __init__(self, peer: PeerIdentity, process: ProcessId, pair: PosixMQPair) -> None:
        super().__init__(peer, process, pair)
        self._pair = pair
        self._descriptors = (pair.inwards.fileno(), pair.outwards.fileno())
        for descriptor in self._descriptors:
            fork.add(descriptor)

    def start(self) -> None:
        if not self._broken:
            self._loop.add_reader(self._descriptors[0], self._first_came)

    def _first_came(self) -> None:
        # The other side has the queues open, and removed their names.
        self._pair.unlink()
        self._loop.add_reader(self._descriptors[0], self._read, _READ_LIMIT)
        self._read(_READ_LIMIT)

    def _watch_room(self, wanted: bool) -> None:
        if wanted:
            self._loop.add_writer(self._descriptors[1], self._write)
        else:
            self._loop.remove_writer(self._descriptors[1])

    def _release(self) -> None:
        self._loop.remove_reader(self._descriptors[0])
        self._pair.unlink()
        # Taking a message out to make room would tear a hole into what the other side still reads.
        self._end_timer = self._loop.call_later(_END_TIMEOUT, self._remove)
        self._loop.add_writer(self._descriptors[1], self._send_end)
        self._send_end()

    def _send_end(self) -> None:
        if self._process.ended or self._put(b""):
            self._remove()

    def _remove(self) -> None:
        self._end_timer.cancel()
        self._loop.remove_writer(self._descriptors[1])
        for descriptor in self._descriptors:
            fork.discard(descriptor)
        self._pair.remove()


@dataclass(frozen=True, slots=True)
class PosixMQConnector(KernelConnector):
    """Links over POSIX message queues (mq_overview(7)), two for each link, on Linux.

    A client creates them, open to its user alone, and sends their names to the server through the server's
    own queue. Once both sides have them open the names are removed, so nothing is left of a link however its
    processes end.

    Args:
        name: of the server's queue: ``"/"`` and 1 to 254 bytes without another ``"/"``.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: *name* is not such a name.

    ``connect`` and ``listen`` also raise FeatureNotAvailable if posix_ipc is not installed, and
    QueueLimitReached, whose message names the kernel's limit and how to raise it.
    """

    scheme: ClassVar[str] = "posixmq"
    _kind = "posixmq"
    _pair = PosixMQPair
    _link = PosixMQLink
    _package = ("posix_ipc", "posixmq")

    name: str
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        name = self.name
        if isinstance(name, str):
            check_text("a PosixMQConnector's name", name)
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name.encode()) > 255:
            text = 'a PosixMQConnector\'s name is "/" and 1 to 254 bytes without another "/"'
            raise ValueError(f"{text}, not {name!r}")
        check_authkey(self.authkey)

    @property
    def _name(self) -> str:
        return self.name

    def _queue(self, create: bool) -> PosixMQ:
        sizes = _RENDEZVOUS_SIZE, LARGEST_REQUEST
        return PosixMQ(self.name, *sizes, RawSerializer(), create=create, exclusive=create)
