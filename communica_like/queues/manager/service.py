"""One connection of a ManagerQueue, on the side of the QueueHost."""

from __future__ import annotations

import socket

from ...exceptions import RemoteProtocolError
from .framed_socket import FrameSocket
from .hosted_queue import HostedQueue
from .protocol import Frame, Item, Kind, join_frame, split_frame
from .server_loop import FrameLoop

__all__ = ["QueueService"]


class QueueService:
    """Does what one client asks of one queue.

    Args:
        sock: this object owns it from now on.
        queue: the queue.
        loop: receives what the client says. When the client is gone, what it has not taken for good is given
            back.
    """

    apart = False

    def __init__(self, sock: socket.socket, queue: HostedQueue, loop: FrameLoop) -> None:
        self.frames = FrameSocket(sock, self._received, lambda: loop.send_rest(self))
        self._queue = queue
        self._held: dict[int, Item] = {}
        loop.add(self)

    def ended(self) -> None:
        """The client is gone."""
        self._queue.leave(self)

    # -- the queue's side: see Claimer

    def tell(self, kind: Kind, number: int, item: Item | None = None, value: int = 0) -> None:
        self.frames.send(join_frame(kind, number, item, value))

    def alive(self) -> bool:
        return not self.frames.hung_up()

    # -- the client's side

    def _received(self, data: bytes) -> None:
        frame = split_frame(data)
        queue, number, item = self._queue, frame.number, frame.item
        match frame.kind:
            case Kind.TAKEN:  # these come most often
                queue.taken(self, number)
            case Kind.ASK_ITEM:
                queue.ask_item(self, number)
            case Kind.POST if item is not None and not queue.max_items:
                queue.post(item)
            case Kind.GLANCE:
                queue.glance(self, number)
            case Kind.TRY_ITEM:
                queue.try_item(self, number)
            case Kind.TRY_ROOM:
                queue.try_room(self, number)
            case Kind.FILL if item is not None:
                queue.fill(self, number, item)
            case Kind.ASK_ROOM:
                queue.ask_room(self, number)
            case Kind.OFFER if item is not None:
                self._held[number] = item
                self.tell(Kind.HELD, number)
            case Kind.FILL_HELD if frame.value in self._held:
                queue.fill(self, number, self._held.pop(frame.value))
            case Kind.TRY_PUT if item is not None:
                queue.try_put(self, number, item)
            case Kind.MAY_POST:
                self.tell(Kind.DONE if queue.expect_posts(self) else Kind.REFUSED, number)
            case Kind.UNTAKE if item is not None:
                queue.untake(self, number, item)
            case Kind.BACK:
                self._held.pop(number, None)
                queue.back(self, number)
            case Kind.TASK_DONE:
                self.tell(Kind.DONE if queue.task_done() else Kind.REFUSED, number)
            case Kind.JOIN:
                queue.ask_join(self, number)
            case Kind.SIZE:
                queue.ask_size(self, number)
            case _:
                raise RemoteProtocolError(f"not from a client: {frame_text(frame)}")


def frame_text(frame: Frame) -> str:
    """Return what a log may say of a frame."""
    return f"{frame.kind.name} {frame.number}"
