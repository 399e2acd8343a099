"""PickleSerializer: any Python object, between processes that trust each other."""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from typing import Any

from communica_like.abc import Serializer


@dataclass(unsafe_hash=True)
class PickleSerializer(Serializer):
    """Python's pickle, for queues that only processes of one user can write to.

    Loading a pickle can run any code, so a process that can put an item can take over every process that gets
    it. Entities refuse this serializer.

    Args:
        protocol: of dumped pickles, 0 to pickle.HIGHEST_PROTOCOL. Pickles of all protocols are loaded.

    Raises:
        ValueError: there is no such protocol.
    """

    protocol: int = pickle.DEFAULT_PROTOCOL

    def __post_init__(self) -> None:
        if not 0 <= self.protocol <= pickle.HIGHEST_PROTOCOL:
            raise ValueError(f"pickle has protocols 0 to {pickle.HIGHEST_PROTOCOL}, not {self.protocol}")

    def dump(self, obj: Any, /) -> bytes:
        """Return *obj* as a pickle.

        Raises:
            Exception: whatever pickle, or the object, raises.
        """
        return pickle.dumps(obj, self.protocol)

    def load(self, data: bytes, /) -> Any:
        """Return the object in a pickle.

        Raises:
            Exception: whatever pickle, or code that it runs, raises.
        """
        return pickle.loads(data)
