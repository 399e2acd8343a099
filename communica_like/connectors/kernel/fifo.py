"""FifoConnector: links over named pipes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ...abc import AsyncQueue, Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...exceptions import FeatureNotAvailable
from ...queues.pipe.pipe_queue import PipeQueue
from ...serializers import RawSerializer
from ...system import ProcessId
from ..url import check_authkey, check_text, join_url, split_url
from .fifo_link import FifoLink
from .fifo_pipes import FifoPair
from .listener import listen_at_rendezvous
from .rendezvous import StartedLink, connect_by_rendezvous

__all__ = ["FifoConnector"]


@dataclass(frozen=True, slots=True)
class FifoConnector(Connector):
    """Links over named pipes (fifo(7)), two for each link.

    A client makes them, open to its user alone, and tells the server of them by the server's own pipe, the
    doorbell. Once both sides have them open their names are removed, so that nothing is left of them when
    both are gone, in whatever way.

    Args:
        path: of the doorbell: an absolute path, where no file is. It is there as long as the server serves.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        ValueError: that is no such path.

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
        return await connect_by_rendezvous(_Rendezvous(self), receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await listen_at_rendezvous(_Rendezvous(self), accept)

    def dump_state(self) -> str:
        return join_url(self.scheme, self.path, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)


class _Rendezvous:
    kind: Final = "fifo"
    _made: PipeQueue

    def __init__(self, connector: FifoConnector) -> None:
        if sys.platform == "win32":
            raise FeatureNotAvailable("named pipes of POSIX are not there on Windows: take a LocalConnector")
        self.name = connector.path
        self.address = connector.dump_state()

    def exists(self) -> bool:
        return os.path.lexists(self.name)

    def create(self) -> AsyncQueue:
        self._made = PipeQueue(self.name, history=False, serializer=RawSerializer())
        return self._made

    def open(self) -> AsyncQueue:
        return PipeQueue(self.name, serializer=RawSerializer(), create=False)

    def remove(self) -> None:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            self._made.unlink()

    def make_pair(self) -> FifoPair:
        return FifoPair.make()

    def open_pair(self, *endpoints: str) -> FifoPair:
        return FifoPair.of_client(*endpoints)

    def link(self, process: ProcessId, pair: FifoPair) -> StartedLink:
        return FifoLink(self.name, process, pair)
