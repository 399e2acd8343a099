"""Acknowledgements of a channel's deliveries, several in one frame."""

from __future__ import annotations

import math

from ..protocol import ack_frame, nack_frame


class Acknowledgements:
    """The unacknowledged deliveries of one channel.

    Args:
        enough: how many acknowledgements are worth a write; fewer may wait for others.
    """

    def __init__(self, enough: int) -> None:
        self._enough = enough
        self._open: dict[int, bool] = {}  # True by delivery tag, in order
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
        self._open[tag] = True

    def ack(self, tag: int, *, urgent: bool = False) -> None:
        """Acknowledge a delivery, if it is open; *urgent*: without waiting for others."""
        if self._open.pop(tag, False):
            self._acked.append(tag)
            self._urgent = self._urgent or urgent

    def reject(self, tag: int, *, requeue: bool) -> None:
        """Reject a delivery, if it is open; *requeue*: not to dead-letter it."""
        if self._open.pop(tag, False):
            self._rejected.append((tag, requeue))

    def clear(self) -> None:
        """Forget all deliveries: the channel is closed, and the broker has requeued them."""
        self._open.clear()
        self._settled()

    def _settled(self) -> None:
        self._acked.clear()
        self._rejected.clear()
        self._urgent = False

    def frames(self, channel: int) -> list[bytes]:
        """Return the frames to write, and forget what they settle."""
        out = [nack_frame(channel, tag, requeue=requeue) for tag, requeue in self._rejected]
        oldest = next(iter(self._open), math.inf)
        upto = max((tag for tag in self._acked if tag < oldest), default=0)
        if upto:
            out.append(ack_frame(channel, upto, multiple=True))
        out += [ack_frame(channel, tag) for tag in self._acked if tag > upto]
        self._settled()
        return out
