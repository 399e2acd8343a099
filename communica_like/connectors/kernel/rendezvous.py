"""What passes through a rendezvous queue, and what the links of a medium consist of."""

from __future__ import annotations

import json
import re
import secrets
from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple, Self

from ...abc import Link, PeerIdentity
from ...system import ProcessId, Registration

LARGEST_REQUEST: Final = 1024
"""Bytes of the largest connect request."""

_VERSION: Final = 1
_TOKEN: Final = re.compile(r"[0-9a-f]{24}")


def token_of(endpoints: tuple[str, ...]) -> str:
    """Return the token that is the only endpoint of a pair, or raise ValueError."""
    if len(endpoints) != 1 or not _TOKEN.fullmatch(endpoints[0]):
        raise ValueError(f"no pair has the endpoints {endpoints!r}")
    return endpoints[0]


class ConnectRequest(NamedTuple):
    """What a client sends to connect. On the medium it is one line of JSON, in ASCII.

    Attributes:
        process: the client's.
        endpoints: the names of its pair; see Pair.
    """

    process: ProcessId
    endpoints: tuple[str, ...]

    def encode(self) -> bytes:
        """Return the request as bytes, at most LARGEST_REQUEST of them."""
        return json.dumps([_VERSION, str(self.process), *self.endpoints]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the request that the bytes hold.

        Raises:
            ValueError: they hold no request of this version.
        """
        try:
            found: Any = json.loads(data)
        except (UnicodeDecodeError, RecursionError) as exc:
            raise ValueError(f"no request: {exc}") from exc
        if not isinstance(found, list) or found[:1] != [_VERSION] or len(found) < 2:
            raise ValueError(f"no request of version {_VERSION}: {data[:80]!r}")
        if not all(isinstance(part, str) for part in found[1:]):
            raise ValueError(f"a request consists of text: {data[:80]!r}")
        return cls(ProcessId.parse(found[1]), tuple(found[2:]))


class Pair(ABC):
    """One side of the queues or pipes of a link, one for each direction, open.

    Args:
        token: the variable part of their names; None: a new one.
    """

    def __init__(self, token: str | None = None) -> None:
        self.token = token or secrets.token_hex(12)
        self._registrations: list[Registration] = []

    @property
    def endpoints(self) -> tuple[str, ...]:
        """The names by which the server opens the pair."""
        return (self.token,)

    @classmethod
    @abstractmethod
    def make(cls) -> Self:
        """Make a pair, as a client.

        Raises:
            QueueLimitReached: the kernel has no room for it.
            OSError, LinkError: any other failure.
        """

    @classmethod
    @abstractmethod
    def of_client(cls, *endpoints: str) -> Self:
        """Open the pair that a client made, as its server, and remove names that are needed no longer.

        Raises:
            ValueError: no client makes such endpoints.
            FileNotFoundError: the client has given up.
            OSError, LinkError: the pair cannot be used.
        """

    @abstractmethod
    def remove(self) -> None:
        """Close this side, and remove what is left of the pair in the system."""


class StartedLink(Link):
    """A link that reads only after ``start``.

    Args:
        peer: the identity of the other side.
        process: the other side's.
        pair: belongs to the link from now on.
    """

    @abstractmethod
    def __init__(self, peer: PeerIdentity, process: ProcessId, pair: Any) -> None: ...

    @abstractmethod
    def start(self) -> None:
        """Begin to read, now that there is a receiver. On a broken link this does nothing."""
