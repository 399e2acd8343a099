"""PipeQueue: lines in a named pipe."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import queue
import sys
import threading
import time
from typing import Any, Final

from ...abc import Guarantees, Serializer
from ...aio.waiters import Waiters
from ...arguments import check_kind
from ...exceptions import FeatureNotAvailable, MessageTooBig, SerializerError
from ...serializers import LiteralSerializer
from ...system import fork
from ..base import FdWatcher, WaitingQueue
from .descriptors import PipePeek, open_ends

if sys.platform != "win32":
    import fcntl
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
    from select import PIPE_BUF

    _TRY_TO_LOCK: Final = LOCK_EX | LOCK_NB
    _PIPE_BUF: Final = ctypes.c_size_t(PIPE_BUF)

_LONGEST_LINE: Final = 2**24  # bytes, from other programs; ours are never longer than PIPE_BUF
_READ_SIZE: Final = 2**16
_LOCK_ATTEMPTS: Final = 100
_NO_TYPE: Final = (0,)  # in place of a priority or message type


class PipeQueue(WaitingQueue):
    """A queue in a named pipe: fifo(7). An item is a line; turberfield's queues use the same format.

    The content of a pipe is lost when no process has it open any more: see pipe(7). A PipeQueue has it open,
    for reading and for writing, until ``close``. So items wait for a later reader as long as any queue at
    this path stays open.

    Any number of processes may put: an item is written whole, or not at all. On Linux any number may get: an
    item stays in the pipe until a get returns it, even if processes are cancelled, closed or killed
    meanwhile. A get may find the pipe empty while another process is just reading an item. Readers in other
    programs do not keep these rules. An item longer than PIPE_BUF, which only other programs write, comes in
    parts and needs a single reader; ``close`` loses the part that has been read.

    On other systems a reader reads ahead: ``guarantees`` say that there may be one reader, and ``close``
    loses what it has read.

    A forked child may put, but has to open the queue anew to get (RuntimeError).

    Args:
        path: of the pipe.
        history: True: use an existing pipe, with its content, and keep the pipe after ``close``. False:
            create it here, and remove its name at ``close``, unless another file has that name by then.
        serializer: by default LiteralSerializer(). It must dump to a single line, which pickles often are
            not.
        mode: permissions of a pipe that is created here, less the umask; by default this user's alone. See
            mkfifo(3). An existing pipe keeps its own.
        create: whether to create the pipe if it is missing.

    Attributes:
        path: as an absolute path.

    Raises:
        FeatureNotAvailable: the system is Windows.
        FileNotFoundError: there is no such pipe, and *create* is False.
        FileExistsError: the path is not a pipe; or it exists, and *history* is False.
        PermissionError: this user may not both read and write it.
        OSError: see mkfifo(3) and open(2).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        history: bool = True,
        serializer: Serializer | None = None,
        *,
        mode: int = 0o600,
        create: bool = True,
    ) -> None:
        if sys.platform == "win32":
            raise FeatureNotAvailable("a PipeQueue needs named pipes of POSIX")
        check_kind(path, str | os.PathLike, "a pipe's path is a str or a path", "PipeQueue('/path/to/pipe')")
        self.path = os.path.join(os.getcwd(), os.fspath(path))  # also after chdir
        self._generation = fork.generation
        self._history = history
        self._read_end, self._write_end = open_ends(self.path, history, mode, create)
        self._descriptors = [self._read_end, self._write_end]
        try:
            self._peek = PipePeek.of(self._read_end)
        except BaseException:
            self._close_descriptors()
            raise
        if self._peek is not None:
            self._descriptors += self._peek.descriptors
        self._file = os.fstat(self._read_end)
        self._lock = threading.Lock()  # close() must not free descriptors that other threads use
        self._read = bytearray()  # an unfinished line; without tee(2), all that was read ahead
        self._loop: asyncio.AbstractEventLoop | None = None
        # A pipe is readable when anything is in it, and writable when PIPE_BUF bytes fit.
        self._reading = FdWatcher(self._read_end, "read", lambda: getters.notify(at_once=True))
        self._writing = FdWatcher(self._write_end, "write", lambda: putters.notify(at_once=True))
        getters, putters = Waiters(queue.Empty, self._watch_reading), Waiters(queue.Full, self._writing.watch)
        super().__init__(serializer or LiteralSerializer(), getters, putters)

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(largest_item=PIPE_BUF - 1, many_readers=self._peek is not None)

    def qsize(self) -> int:
        """Return how many whole items are in the pipe. Other processes may change that at any time.

        The number is too low if the pipe was enlarged beyond what this user may set. On systems other than
        Linux this reads ahead, and counts what was read.
        """
        with self._lock:
            self._check_reader()
            if self._peek is not None:
                size = fcntl.fcntl(self._read_end, fcntl.F_GETPIPE_SZ)
                window = self._peek.descriptors[1]
                if size > fcntl.fcntl(window, fcntl.F_GETPIPE_SZ):
                    with contextlib.suppress(PermissionError):
                        fcntl.fcntl(window, fcntl.F_SETPIPE_SZ, size)
                return self._peek.look(ctypes.c_size_t(size)).count(b"\n")
            with contextlib.suppress(BlockingIOError):
                self._read += os.read(self._read_end, _READ_SIZE)
            self._notify_rest()
            return self._read.count(b"\n")

    def close(self) -> None:
        """Close the pipe. Callers that wait here get ``Closed``; items stay if other queues have it open.

        Without *history* the pipe's name is removed, unless another file has it.
        """
        if self._closed:
            return
        self._reading.ignore()
        self._writing.ignore()
        with self._lock:
            super().close()
            try:
                # Before the descriptors are closed: until then no other file can have this inode's number.
                if not self._history and fork.generation == self._generation:
                    self.unlink()
            except (FileNotFoundError, NotADirectoryError):
                pass
            finally:
                self._close_descriptors()

    def _close_descriptors(self) -> None:
        for descriptor in self._descriptors:
            os.close(descriptor)

    def unlink(self) -> None:
        """Remove the pipe's name. It keeps working for processes that have it open.

        Raises:
            FileNotFoundError: it was removed already. A new file of that name is kept.
            PermissionError: this user may not write to the directory.
        """
        if not os.path.samestat(os.stat(self.path), self._file):
            raise FileNotFoundError(f"the pipe {self.path} was removed, and another file has its name")
        os.unlink(self.path)

    # -- attempts

    def _dumped(self, item: Any) -> bytes:
        return self._line(self._dump(item))

    def _line(self, data: bytes) -> bytes:
        if len(data) >= PIPE_BUF:
            raise MessageTooBig(
                f"the item has {len(data)} bytes, but a pipe takes at most {PIPE_BUF - 1}: PIPE_BUF with the "
                "newline, because a longer line may mix with what other processes write"
            )
        if b"\n" in data:
            raise SerializerError("the item cannot be dumped as one line: it contains a newline")
        return data + b"\n"

    def _send(self, data: bytes) -> None:
        with self._lock:
            if self._closed:
                self._check_open()
            try:
                os.write(self._write_end, data)  # all or nothing, up to PIPE_BUF bytes
            except BlockingIOError:
                raise queue.Full from None

    def _receive(self) -> bytes:
        box: list[tuple[bytes, int]] = []
        self._take_into(box)
        return box[0][0]

    def _load(self, data: bytes) -> Any:
        return super()._load(data[:-1])

    def _take_into(self, box: list[tuple[bytes, int]]) -> None:
        """Read a line from the pipe, and append it, with its newline, and a 0 to *box*.

        One call of a function written in C does both, so that an exception of a signal handler cannot come in
        between: the line is either in the pipe or in the list.
        """
        with self._lock:
            if self._closed or fork.generation != self._generation:
                self._check_reader()
            try:
                try:
                    flock(self._write_end, _TRY_TO_LOCK)
                except BlockingIOError:
                    self._lock_out_readers()
                if self._peek is not None and not self._read:
                    seen = self._peek.look(_PIPE_BUF)
                    if not seen:
                        raise queue.Empty
                    size = seen.find(b"\n") + 1
                    if size:
                        taking = map(os.read, (self._read_end,), (size,))
                        return box.extend(zip(taking, _NO_TYPE))  # noqa: B905 - a keyword costs time
                # Other programs write lines in parts: an exception of a signal handler loses what was read.
                box.append((self._take_unfinished(), 0))
            except BlockingIOError:
                raise queue.Empty from None
            finally:
                flock(self._write_end, LOCK_UN)

    def _check_reader(self) -> None:
        self._check_open()
        if fork.generation != self._generation:
            # It shares the lock and the second pipe of PipePeek with its parent.
            raise RuntimeError(f"{self.path} was opened before this process was forked: open it anew to get")

    def _lock_out_readers(self) -> None:
        # Another reader needs microseconds. It may have been stopped, so do not wait for it.
        for _ in range(_LOCK_ATTEMPTS):
            try:
                return flock(self._write_end, _TRY_TO_LOCK)
            except BlockingIOError:
                time.sleep(0)
        raise queue.Empty

    def _take_unfinished(self) -> bytes:
        while not (end := self._read.find(b"\n") + 1):
            if len(self._read) > _LONGEST_LINE:
                self._read.clear()
                raise SerializerError(f"a line of over {_LONGEST_LINE} bytes in {self.path}: dropped")
            size = _READ_SIZE
            if self._peek is not None:
                seen = self._peek.look(ctypes.c_size_t(size if self._read else PIPE_BUF))
                if not seen:
                    raise queue.Empty
                # An unfinished line must not stay there: the pipe would be readable all the time.
                size = seen.find(b"\n") + 1 or len(seen)
            self._read += os.read(self._read_end, size)
        line = bytes(self._read[:end])
        del self._read[:end]
        self._notify_rest()
        return line

    # -- waiting

    def _watch_reading(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading.watch()

    def _notify_rest(self) -> None:
        # What was read ahead makes no descriptor readable, and this may be another thread.
        if self._read and self._loop is not None and len(self._getters):
            with contextlib.suppress(RuntimeError):  # the loop is closed, and its waiters are gone
                self._loop.call_soon_threadsafe(self._getters.notify)
