"""The messages of a link over a broker: a header and a payload.

::

    0       1      2            18        26
    +-------+------+------------+---------+---------
    | kind  |  to  |  link's id | offset  | payload
    +-------+------+------------+---------+---------

``to`` is the end of the link that the message is for: 0 the client's, 1 the server's. ``offset`` counts bytes
of the link's stream: with DATA, those sent before; with END, all that were sent; with CREDIT, all received.
"""

from __future__ import annotations

import json
import logging
import struct
from struct import Struct
from typing import Final, NamedTuple, Self

from ...system import ProcessId

logger = logging.getLogger("communica_like")

HEADER: Final = Struct("!BB16sQ")

CONNECT: Final = 1  # a client asks for a link; the payload is its Introduction
ACCEPT: Final = 2  # a server accepts the link; the payload is its Introduction
DATA: Final = 3  # a piece of the stream
CREDIT: Final = 4  # the receiver has the stream up to the offset
END: Final = 5  # the link was closed, and this is all that was sent
ABORT: Final = 6  # the link is broken

TO_CLIENT: Final = 0
TO_SERVER: Final = 1

_VERSION: Final = 1
_MAX_SIZE: Final = 4096  # bytes of an introduction
_MAX_NAME: Final = 255


class Introduction(NamedTuple):
    """How a side describes itself when a link is made.

    Attributes:
        inbox: the routing key of its inbox.
        name: what its connection to the broker is called.
        machine: an id of its machine since it was booted; empty: unknown.
        process: its process.
        server: the id of the server, the one that accepts the link; empty: a client.
    """

    inbox: str
    name: str
    machine: str
    process: ProcessId
    server: str = ""

    def encode(self) -> bytes:
        """Return the introduction as bytes."""
        name, process = self.name[:_MAX_NAME], str(self.process)
        return json.dumps([_VERSION, self.inbox, name, self.machine, process, self.server]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the introduction that ``encode`` made these bytes of.

        Raises:
            ValueError: they are something else.
        """
        if len(data) > _MAX_SIZE:
            raise ValueError(f"an introduction of {len(data)} bytes")
        try:
            fields = json.loads(data)
        except RecursionError as exc:
            raise ValueError("a malformed introduction") from exc
        match fields:
            case [int(version), *_] if version != _VERSION:
                raise ValueError(f"version {version}; this side knows version {_VERSION}")
            case [_, str(inbox), str(name), str(machine), str(process), str(server)]:
                if not 0 < len(inbox.encode()) <= _MAX_NAME:
                    raise ValueError("an inbox's name of an impossible length")
                return cls(inbox, name, machine, ProcessId.parse(process), server)
        raise ValueError("a malformed introduction")

    @classmethod
    def find(cls, body: bytes, kind: int) -> tuple[bytes, Self] | None:
        """Return the link's id and the introduction in a message, if it is of this kind."""
        try:
            if HEADER.unpack_from(body)[0] == kind:
                return body[2:18], cls.decode(body[HEADER.size :])
        except (ValueError, struct.error) as exc:
            logger.warning("ignored a malformed message of a link: %s", exc)
        return None
