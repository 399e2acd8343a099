"""Partial: a large message that is being received."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

from ..exceptions import RemoteProtocolError

SMALLEST_PIECE: Final = 1024
"""Bytes that each piece but the last has at least, so that pieces do not cost more than they carry."""


@dataclass(slots=True, eq=False)
class Partial:
    """Collects the pieces of one message.

    Attributes:
        number: the ``arg`` of its first frame.
        total: bytes of its body, already checked against the limit.
        began: when the first piece came.
    """

    kind: int
    ident: int
    number: int
    route: bytes
    total: int
    began: float
    _received: int = 0
    # BytesIO grows in place and returns its bytes without a copy. To join 64 MiB at the end would block the
    # event loop for tens of milliseconds.
    _body: BytesIO = field(default_factory=BytesIO)

    def add(self, piece: bytes, *, more: bool) -> None:
        """Take the next piece.

        Raises:
            RemoteProtocolError: the pieces are too small, or do not add up to *total*.
        """
        self._received += len(piece)
        if not piece or self._received > self.total or (self._received == self.total) is more:
            raise RemoteProtocolError(
                f"a message of {self.total} bytes whose pieces hold {self._received}"
                + (" and more" if more else "")
            )
        if more and len(piece) < SMALLEST_PIECE:
            raise RemoteProtocolError(f"a piece of {len(piece)} bytes that is not the last")
        self._body.write(piece)

    def budget(self, now: float) -> int:
        """Return the rest of a request's budget in milliseconds, at least 1; 0 if it has no budget."""
        if not self.number:
            return 0
        return max(1, self.number - round((now - self.began) * 1000))

    def body(self) -> bytes:
        """Return the whole body."""
        return self._body.getvalue()
