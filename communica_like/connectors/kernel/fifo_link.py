"""A link over two named pipes."""

from __future__ import annotations

from ...abc import PeerIdentity
from ...system import ProcessId
from ..links.peer_process import PeerProcess
from ..links.pipe import PipeLink
from .fifo_pipes import FifoPair
from .rendezvous import StartedLink


class FifoLink(PipeLink, StartedLink):
    """One end of a link over two named pipes.

    Args:
        name, process, pair: as for StartedLink.
    """

    def __init__(self, name: str, process: ProcessId, pair: FifoPair) -> None:
        super().__init__(pair.reading, pair.writing, PeerIdentity("fifo", name, process.pid, process.uid))
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
        wait = not self._closing
        self._process.conclude(lambda gone: self.receiver.link_broken(gone or error), wait=wait)
