"""Acknowledgements of a channel's deliveries, several in one frame."""

from __future__ import annotations

from ..protocol import ack_frame, nack_frame


class Acknowledgements:
    """The unacknowledged deliveries of one channel.

    Args:
        enough: how many acknowledgements are worth a write; fewer may wait for others.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._open: dict[int, bool] = {}  # delivery tags, in order; whether they are acknowledged
        self._acked: list[int] = []
        self._rejected: list[tuple[int, bool]] = []
        self._urgent = False

    @property
    def due(self) -> bool:
        """Whether frames should be written now."""
        return bool(self._rejected) or self._urgent or len(self._acked) >= self._enough

    @property
    def waiting(self) -> bool:
        """Whether there are acknowledgements to write."""
        return bool(self._acked)

    def add(self, tag: int) -> None:
        """Add a delivery."""
        self._open[tag] = False

    def ack(self, tag: int, *, urgent: bool = False) -> None:
        """Acknowledge a delivery, if it is open; *urgent*: without waiting for others."""
        if tag in self._open:
            self._open[tag] = True
            self._acked.append(tag)
            self._urgent = self._urgent or urgent

    def reject(self, tag: int, *, requeue: bool) -> None:
        """Reject a delivery, if it is open; *requeue*: not to dead-letter it."""
        if self._open.pop(tag, None) is not None:
            self._rejected.append((tag, requeue))

    def clear(self) -> None:
        """Forget all deliveries: the channel is closed, and the broker has requeued them."""
        self._open.clear()
        self._acked.clear()
        self._rejected.clear()
        self._urgent = False

    def frames(self, channel: int) -> list[bytes]:
        """Return the frames to write, and forget what they settle."""
        out = [nack_frame(channel, tag, requeue=requeue) for tag, requeue in self._rejected]
        upto = 0
        for tag, acked in self._open.items():
            if not acked:
                break
            upto = tag
        if upto:
            out.append(ack_frame(channel, upto, multiple=True))
        for tag in self._acked:
            del self._open[tag]
            if tag > upto:
                out.append(ack_frame(channel, tag))
        self._rejected.clear()
        self._acked.clear()
        self._urgent = False
        return out
