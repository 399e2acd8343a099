"""What becomes of the deliveries of a channel: acknowledged, several at a time, or given back."""

from __future__ import annotations

from ..protocol import settling

__all__ = ["Acknowledgements"]


class Acknowledgements:
    """The deliveries of one channel that the broker waits to hear of.

    Args:
        promptly: so many that are done with are acknowledged at once; fewer may wait for others.
    """

    def __init__(self, promptly: int) -> None:
        self._promptly = promptly
        self._open: dict[int, bool] = {}  # delivery tags, in order; whether they are done with
        self._done: list[int] = []
        self._back: list[tuple[int, bool]] = []
        self._hurry = False

    def __contains__(self, tag: int) -> bool:
        return tag in self._open

    @property
    def due(self) -> bool:
        """Whether there is something to write that should not wait."""
        return bool(self._back) or self._hurry or len(self._done) >= self._promptly

    @property
    def waiting(self) -> bool:
        """Whether there are acknowledgements that are not written yet."""
        return bool(self._done)

    def delivered(self, tag: int) -> None:
        """There is one more."""
        self._open[tag] = False

    def done(self, tag: int, *, at_once: bool = False) -> None:
        """It is done with; *at_once*: its acknowledgement waits for no other."""
        if tag in self._open:
            self._open[tag] = True
            self._done.append(tag)
            self._hurry = self._hurry or at_once

    def turn_down(self, tag: int, *, back: bool) -> None:
        """It is not done with; *back*: it is to be delivered again, else it is put aside."""
        if self._open.pop(tag, None) is not None:
            self._back.append((tag, back))

    def forget(self) -> None:
        """The channel is no more; the broker has them all back."""
        self._open.clear()
        self._done.clear()
        self._back.clear()
        self._hurry = False

    def frames(self, channel: int) -> list[bytes]:
        """Return what is to be written, and take it as written."""
        out = [settling(channel, tag, taken=False, back=back) for tag, back in self._back]
        first = 0
        for tag, done in self._open.items():
            if not done:
                break
            first = tag
        if first:
            out.append(settling(channel, first, multiple=True))
        for tag in self._done:
            del self._open[tag]
            if tag > first:
                out.append(settling(channel, tag))
        self._back.clear()
        self._done.clear()
        self._hurry = False
        return out
