"""What a client puts into a server's doorbell: who it is, and where it waits."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple, Self

from ..system import ProcessId

__all__ = ["LARGEST_KNOCK", "Knock"]

_VERSION: Final = 1
LARGEST_KNOCK: Final = 1024
"""Bytes of the largest one."""


class Knock(NamedTuple):
    """A client's wish to be let in. On the medium it is one line of JSON, in ASCII.

    Attributes:
        process: the client's.
        places: names of what it has made for the two of them, as its connector defines them.
    """

    process: ProcessId
    places: tuple[str, ...]

    def encode(self) -> bytes:
        """Return it as bytes, at most LARGEST_KNOCK of them."""
        return json.dumps([_VERSION, str(self.process), *self.places]).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return what the bytes say.

        Raises:
            ValueError: they are no knock of this version.
        """
        try:
            found: Any = json.loads(data)
        except (UnicodeDecodeError, RecursionError) as exc:
            raise ValueError(f"no knock: {exc}") from exc
        if not isinstance(found, list) or found[:1] != [_VERSION] or len(found) < 2:
            raise ValueError(f"no knock of version {_VERSION}: {data[:80]!r}")
        if not all(isinstance(part, str) for part in found[1:]):
            raise ValueError(f"a knock consists of text: {data[:80]!r}")
        return cls(ProcessId.parse(found[1]), tuple(found[2:]))
