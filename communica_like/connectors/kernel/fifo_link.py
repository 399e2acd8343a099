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
        path: the doorbell's.
        process: the other side's.
        pair: the pipes, which belong to the link from now on.
    """

    def __init__(self, path: str, process: ProcessId, pair: FifoPair) -> None:
        super().__init__(pair.reading, pair.writing, PeerIdentity("fifo", path, process.pid, process.uid))
        self._pair = pair
        self._process = PeerProcess(process, self._process_ended)
        self._met = False
        self._aborted = False

    def start(self) -> None:
        super().start()
        if self._pair.complete:
            # The client may have closed it already, of which poll(2) tells only those who had it open before.
            self._loop.call_soon(self._read_all)

    def abort(self) -> None:
        self._aborted = True
        super().abort()

    def _received(self, data: bytes) -> None:
        if not self._met:
            self._met = True
            self._pair.met()
        self.receiver.data_received(data)

    def _process_ended(self) -> None:
        # Others may have its pipes open still, such as what it forked off: there is nothing to wait for.
        self._read_all()
        self._break(None)

    def _read_all(self) -> None:
        while not self._broken and self._read():
            pass

    def _report(self, error: Exception | None) -> None:
        self._pair.met()
        wait = not (self._aborted or self._closing)
        self._process.conclude(lambda gone: self.receiver.link_broken(gone or error), wait=wait)
