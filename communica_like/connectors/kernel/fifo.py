"""FifoConnector: links over named pipes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...exceptions import FeatureNotAvailable
from ...queues.pipe.pipe_queue import PipeQueue
from ...serializers import RawSerializer
from ..url import check_authkey, check_text, join_url, split_url
from .fifo_link import FifoLink
from .fifo_pipes import FifoPair
from .listener import listen_at_rendezvous
from .rendezvous import Rendezvous, connect_by_rendezvous


@dataclass(frozen=True, slots=True)
class FifoConnector(Connector):
    """Links over named pipes (fifo(7)), two for each link.

    A client creates them, open to its user alone, and sends their names to the server through the server's
    own pipe. Once both sides have them open the names are removed, so nothing is left of a link however its
    processes end.

    Args:
        path: of the server's pipe: an absolute path, at which there is no file. The pipe exists while the
            server listens.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: *path* is not such a path.

    ``connect`` and ``listen`` also raise FeatureNotAvailable on Windows.
    """

    scheme: ClassVar[str] = "fifo"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(verifies_user=True)

    path: str
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        path = os.fspath(self.path)
        if not isinstance(path, str) or not os.path.isabs(path) or "\x00" in path or path.endswith("/"):
            raise ValueError(f"a FifoConnector's path is an absolute path of a file, not {path!r}")
        object.__setattr__(self, "path", path)
        check_text("a FifoConnector's path", path)
        check_authkey(self.authkey)

    async def connect(self, receiver: LinkReceiver) -> Link:
        return await connect_by_rendezvous(self._rendezvous(), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_at_rendezvous(self._rendezvous(), accept)

    def _rendezvous(self) -> Rendezvous:
        if sys.platform == "win32":
            raise FeatureNotAvailable("Windows has no named pipes of POSIX: take a LocalConnector")
        return _Rendezvous(self.path, self.dump_state())

    def dump_state(self) -> str:
        return join_url(self.scheme, self.path, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)


class _Rendezvous(Rendezvous):
    kind = "fifo"
    pair = FifoPair
    link = FifoLink

    def exists(self) -> bool:
        return os.path.lexists(self.name)

    def create(self) -> PipeQueue:
        return PipeQueue(self.name, history=False, serializer=RawSerializer())

    def open(self) -> PipeQueue:
        return PipeQueue(self.name, serializer=RawSerializer(), create=False)
