"""FifoConnector: links over named pipes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import ClassVar

from ...abc import PeerIdentity
from ...exceptions import FeatureNotAvailable
from ...queues.pipe.pipe_queue import PipeQueue
from ...serializers import RawSerializer
from ...system import ProcessId
from ..links.peer_process import PeerProcess
from ..links.pipe import PipeLink
from ..url import check_authkey, check_text
from .connector import KernelConnector
from .fifo_pipes import FifoPair
from .rendezvous import StartedLink


class FifoLink(PipeLink, StartedLink):
    """One end of a link over two named pipes. For arguments see StartedLink."""

    def __init__(self, peer: PeerIdentity, process: ProcessId, pair: FifoPair) -> None:
        super().__init__(pair.reading, pair.writing, peer)
        self._pair = pair
        self._process = PeerProcess(process, self._process_ended)
        self._established = False

    def start(self) -> None:
        super().start()
        if self._pair.complete:
            # poll(2) reports an end only to those who had the pipe open before it; the client's may be past.
            self._loop.call_soon(self._read_all)

    def abort(self) -> None:
        self._closing = True
        super().abort()

    def _received(self, data: bytes) -> None:
        if not self._established:
            self._established = True
            self._pair.establish()
        self.receiver.data_received(data)

    def _process_ended(self) -> None:
        # Its pipes may be open still, in its forked children, but there is nothing to wait for.
        self._read_all()
        self._break(None)

    def _read_all(self) -> None:
        while not self._broken and self._read():
            pass

    def _report(self, error: Exception | None) -> None:
        self._pair.establish()
        self._process.conclude(lambda gone: self.receiver.link_broken(gone or error), wait=not self._closing)


@dataclass(frozen=True, slots=True)
class FifoConnector(KernelConnector):
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
    _kind = "fifo"
    _pair = FifoPair
    _link = FifoLink

    path: str
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        path = os.fspath(self.path)
        if not isinstance(path, str) or not os.path.isabs(path) or "\x00" in path or path.endswith("/"):
            raise ValueError(f"a FifoConnector's path is an absolute path of a file, not {path!r}")
        object.__setattr__(self, "path", path)
        check_text("a FifoConnector's path", path)
        check_authkey(self.authkey)

    @property
    def _name(self) -> str:
        return self.path

    def _require_medium(self) -> None:
        if sys.platform == "win32":
            raise FeatureNotAvailable("Windows has no named pipes of POSIX: take a LocalConnector")

    def _queue(self, create: bool) -> PipeQueue:
        return PipeQueue(self.path, history=not create, serializer=RawSerializer(), create=create)

    def _exists(self) -> bool:
        return os.path.lexists(self.path)  # opening a pipe would wake programs that wait for its other end
