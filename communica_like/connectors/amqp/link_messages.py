"""What travels over a broker: one message, a header and a payload.

::

    0       1      2            18        26
    +-------+------+------------+---------+---------
    | kind  |  to  |  link's id | offset  | payload
    +-------+------+------------+---------+---------

``to`` says which end of the link it is for: 0 the client's, 1 the server's. ``offset`` counts bytes of the
link's stream: with DATA, those sent before; with END, all that were sent; with CREDIT, all received.
"""

from __future__ import annotations

import json
from struct import Struct
from typing import Final, NamedTuple, Self

from ...system import ProcessId

__all__ = [
    "ABORT",
    "CREDIT",
    "DATA",
    "END",
    "HEADER",
    "KNOCK",
    "TO_CLIENT",
    "TO_SERVER",
    "WELCOME",
    "Introduction",
]

HEADER: Final = Struct("!BB16sQ")
"""Kind, end, id, offset."""

KNOCK: Final = 1
"""A client asks for a link; the payload is its Introduction."""
WELCOME: Final = 2
"""A server gives it one; the payload is its Introduction."""
DATA: Final = 3
"""A piece of the stream."""
CREDIT: Final = 4
"""So much of it was received."""
END: Final = 5
"""The link is over, in an orderly way."""
ABORT: Final = 6
"""The link is over."""

TO_CLIENT: Final = 0
TO_SERVER: Final = 1

_VERSION: Final = 1
_LARGEST: Final = 4096
_LONGEST_NAME: Final = 255


class Introduction(NamedTuple):
    """What a side tells of itself when a link is made.

    Attributes:
        inbox: the routing key of its inbox.
        name: what its connection to the broker is called.
        machine: which machine it runs on, since its start; empty: that cannot be told.
        process: which process it is.
        server: the id of the server: with WELCOME, the one that gives the link; with KNOCK, the only one that
            may, or empty.
    """

    inbox: str
    name: str
    machine: str
    process: ProcessId
    server: str = ""

    def encode(self) -> bytes:
        """Return it as bytes."""
        fields = [
            _VERSION,
            self.inbox,
            self.name[:_LONGEST_NAME],
            self.machine,
            str(self.process),
            self.server,
        ]
        return json.dumps(fields).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what ``encode`` made bytes of.

        Raises:
            ValueError: it did not.
        """
        if len(data) > _LARGEST:
            raise ValueError(f"a introduction of {len(data)} bytes")
        try:
            fields = json.loads(data)
        except RecursionError as exc:
            raise ValueError("not the introduction of a side") from exc
        match fields:
            case [int(version), *_] if version != _VERSION:
                raise ValueError(f"version {version}; this side knows version {_VERSION}")
            case [_, str(inbox), str(name), str(machine), str(process), str(server)]:
                if not inbox or len(inbox.encode()) > _LONGEST_NAME:
                    raise ValueError("an inbox that cannot be")
                return cls(inbox, name, machine, ProcessId.parse(process), server)
        raise ValueError("not the introduction of a side")
