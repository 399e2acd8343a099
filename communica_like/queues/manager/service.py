"""QueueService: one connection of a ManagerQueue, on the side of the QueueHost."""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from ...exceptions import RemoteProtocolError
from .framed_socket import FramedSocket
from .hosted_queue import HostedQueue
from .protocol import Item, Kind, join_frame, split_frame
from .server_loop import ServerLoop

_MOST_READS: Final = 128  # in a round: more than what a socket holds when the round begins


class QueueService:
    """Does what one client asks of one queue.

    When the client is gone, the queue takes back what the client has not acknowledged.

    Args:
        sock: this object owns it from now on.
        queue: the queue.
        loop: reads what the client says.
    """

    def __init__(self, sock: socket.socket, queue: HostedQueue, loop: ServerLoop) -> None:
        self._frames = FramedSocket(sock, self._received)
        self._queue = queue
        self._loop = loop

    def begin(self, greeting: bytes = b"") -> None:
        """Have the loop read it; then send a greeting. So the client's first word is heard in time."""
        self._loop.admit(self)
        self._send(greeting)

    # -- the queue's side: see Client

    def tell(self, kind: Kind, number: int, item: Item | None = None, size: int = 0, used: int = 0) -> None:
        self._send(join_frame(kind, number, item, size, used))

    def _send(self, data: bytes) -> None:
        with contextlib.suppress(OSError):  # the end, which is found by receiving
            self._frames.send(data)
        if self._frames.unsent:
            self._loop.watch_room(self)

    # -- the loop's side: see Member

    def fileno(self) -> int:
        return self._frames.fileno()

    def receive(self, to_the_end: bool) -> bool:
        for _ in range(_MOST_READS):
            count = self._frames.receive()
            if count <= 0:
                return count == 0
            if not (self._frames.more or to_the_end):
                break
        return True

    def send_rest(self) -> bool:
        try:
            return self._frames.flush()
        except OSError:
            return True  # the end, which is found by receiving

    def ended(self) -> None:
        self._queue.leave(self)
        self._frames.close()

    # --

    def _received(self, data: bytes) -> None:
        frame = split_frame(data)
        call = _CALLS.get(frame.kind)
        if call is None:
            raise RemoteProtocolError(f"not from a client: {frame.kind.name} {frame.number}")
        call(self._queue, self, frame.number, *(() if frame.item is None else (frame.item,)))


_CALLS: Final = {kind: getattr(HostedQueue, kind.name.lower()) for kind in Kind if kind < Kind.ITEM}
