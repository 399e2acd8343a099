"""PipeQueue: POSIX named pipes."""

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
from ...aio.waiters import Line
from ...exceptions import FeatureNotAvailable, MessageTooBig, SerializerError
from ...serializers import LiteralSerializer
from ...system import fork
from ..base import FdWatcher, WaitingQueue
from .descriptors import PipePeek, find_tee, open_ends

if sys.platform != "win32":
    import fcntl
    from fcntl import LOCK_EX, LOCK_NB, LOCK_UN, flock
    from select import PIPE_BUF

    _TRY_TO_LOCK: Final = LOCK_EX | LOCK_NB
    _PIPE_BUF: Final = ctypes.c_size_t(PIPE_BUF)

__all__ = ["PipeQueue"]

_LONGEST_LINE: Final = 2**24  # bytes; somebody else's, ours are never longer than PIPE_BUF
_READ_SIZE: Final = 2**16
_TRIES: Final = 100
_NO_TYPE: Final = (0,)  # what other media have beside an item


class PipeQueue(WaitingQueue):
    """A queue in a named pipe: fifo(7). An item is a line, which turberfield's queues, too, write and read.

    What is in a pipe is lost when nobody has it open any more: see pipe(7). A PipeQueue has it open, for
    reading and for writing, until ``close``. So items wait for a reader that comes later if any queue at this
    path stays open; when the writer was the only one, and closed, they are gone.

    Any number of processes may put: an item is written in one piece, or not at all. On Linux as many may get:
    an item stays in the pipe until a get returns it, whoever is cancelled, closed or killed meanwhile; and a
    get may find it empty while another process is just taking. Readers in other programs do not keep to that.
    An item longer than PIPE_BUF, which only other programs write, comes in parts, and needs to have one
    reader; what that has of an unfinished item is lost when it is closed.

    On other systems a reader takes what is there, for later: ``guarantees`` say that there may be one reader,
    and what it took is lost when it is closed.

    A process that was forked off may put, but it has to open the queue anew to get (RuntimeError).

    Args:
        path: of the pipe, which is created if there is none.
        history: True: a pipe that exists is used, with what is in it, and the pipe stays after ``close``.
            False: it is created here, and its name removed at ``close``, unless another file has it by then.
        serializer: by default LiteralSerializer(). What it dumps must be one line: pickles often are not.
        mode: who may open a pipe that is created here, less the umask; by default only this user. See
            mkfifo(3). One that exists is used as its owner made it.
        create: whether to create the pipe if there is none.

    Raises:
        FeatureNotAvailable: this system has no named pipes.
        FileNotFoundError: there is no such pipe, and *create* is False.
        FileExistsError: something has the path that is no pipe; or anything, and *history* is False.
        PermissionError: it is another user's: one needs to read and to write.
        OSError: as mkfifo(3) and open(2).
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
            raise FeatureNotAvailable("a PipeQueue needs named pipes of POSIX, which Windows has not")
        self.path = os.path.join(os.getcwd(), os.fspath(path))  # also after chdir
        self._generation = fork.generation
        self._history = history
        self._read_end, self._write_end = open_ends(self.path, history, mode, create)
        self._descriptors = [self._read_end, self._write_end]
        try:
            self._peephole = None if (tee := find_tee()) is None else PipePeek(tee, self._read_end)
        except BaseException:
            self._close_descriptors()
            raise
        if self._peephole is not None:
            self._descriptors += self._peephole.descriptors
        self._file = os.fstat(self._read_end)
        self._lock = threading.Lock()  # other threads use the descriptors, which must not be closed meanwhile
        self._read = bytearray()  # of an unfinished line; or whatever was there, where there is no tee(2)
        self._loop: asyncio.AbstractEventLoop | None = None
        # A pipe is readable when anything is in it, and writable when PIPE_BUF bytes fit.
        self._reading = FdWatcher(self._read_end, "read", lambda: getters.call_up(at_once=True))
        self._writing = FdWatcher(self._write_end, "write", lambda: putters.call_up(at_once=True))
        getters, putters = Line(queue.Empty, self._watch_reading), Line(queue.Full, self._writing.watch)
        super().__init__(serializer or LiteralSerializer(), getters, putters)

    @property
    def guarantees(self) -> Guarantees:
        return Guarantees(largest_item=PIPE_BUF - 1, many_readers=self._peephole is not None)

    def put_nowait(self, item: Any, /) -> None:
        self._send(self._dumped(item))

    def get_nowait(self) -> Any:
        return self._load(self._receive())

    async def put(self, item: Any, /, *, timeout: float | None = None) -> None:
        data = self._dumped(item)
        await self._putters.enter(lambda: self._send(data), timeout)

    async def get(self, *, timeout: float | None = None) -> Any:
        return self._load(await self._getters.enter(self._receive, timeout))

    def qsize(self) -> int:
        """Return how many whole items are in the pipe; it may be another number by now.

        It is too low if the pipe was made larger than this user may make one. On other systems than Linux
        this reads ahead, and counts what was read.
        """
        with self._lock:
            self._check_reader()
            if self._peephole is not None:
                size = fcntl.fcntl(self._read_end, fcntl.F_GETPIPE_SZ)
                window = self._peephole.descriptors[1]
                if size > fcntl.fcntl(window, fcntl.F_GETPIPE_SZ):
                    with contextlib.suppress(PermissionError):
                        fcntl.fcntl(window, fcntl.F_SETPIPE_SZ, size)
                return self._peephole.look(ctypes.c_size_t(size)).count(b"\n")
            with contextlib.suppress(BlockingIOError):
                self._read += os.read(self._read_end, _READ_SIZE)
            self._tell_of_the_rest()
            return self._read.count(b"\n")

    def close(self) -> None:
        """Let go of the pipe; whoever waits here ends with Closed. Items stay if others have it open.

        Without *history* its name is removed, if it still is this pipe's.
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
        """Remove the pipe's name. To those who have it open it goes on working.

        Raises:
            FileNotFoundError: it was removed already; another file may have the name by now, and keeps it.
            PermissionError: it is not for this user to remove.
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
                f"an item of {len(data)} bytes; a pipe takes {PIPE_BUF - 1} at most: PIPE_BUF with the "
                "line's end, since what is longer may mix with what others write"
            )
        if b"\n" in data:
            raise SerializerError("the item cannot be dumped as one line: there is a line's end in it")
        return data + b"\n"

    def _send(self, data: bytes) -> None:
        with self._lock:
            if self._closed:
                self._check_open()
            try:
                os.write(self._write_end, data)  # all or nothing: it is not longer than PIPE_BUF
            except BlockingIOError:
                raise queue.Full from None

    def _receive(self) -> bytes:
        box: list[tuple[bytes, int]] = []
        self._take_into(box)
        return box[0][0]

    def _load(self, data: bytes) -> Any:
        return super()._load(data[:-1])

    def _take_into(self, box: list[tuple[bytes, int]]) -> None:
        """Take a line, and put it into the list, with its end, and with a 0.

        It goes there in the same call of a function written in C that takes it out of the pipe: so it is in
        one of both also if a signal's handler raises something meanwhile.
        """
        with self._lock:
            if self._closed or fork.generation != self._generation:
                self._check_reader()
            try:
                try:
                    flock(self._write_end, _TRY_TO_LOCK)
                except BlockingIOError:
                    self._be_the_only_reader()
                if self._peephole is not None and not self._read:
                    seen = self._peephole.look(_PIPE_BUF)
                    if not seen:
                        raise queue.Empty
                    size = seen.find(b"\n") + 1
                    if size:
                        taking = map(os.read, (self._read_end,), (size,))
                        return box.extend(zip(taking, _NO_TYPE))  # noqa: B905 - a keyword takes its time
                # Other programs write lines in parts: what has come is lost if an interruption comes now.
                box.append((self._take_unfinished(), 0))
            except BlockingIOError:
                raise queue.Empty from None
            finally:
                flock(self._write_end, LOCK_UN)

    def _check_reader(self) -> None:
        self._check_open()
        if fork.generation != self._generation:
            # It would share the lock among readers, and the pipe for peeking.
            raise RuntimeError(f"{self.path} was opened before this process was forked: open it anew to get")

    def _be_the_only_reader(self) -> None:
        # The others need microseconds; but one of them may have been stopped, so do not wait for it.
        for _ in range(_TRIES):
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
            if self._peephole is not None:
                seen = self._peephole.look(ctypes.c_size_t(size if self._read else PIPE_BUF))
                if not seen:
                    raise queue.Empty
                # What is unfinished must not stay there: the pipe would be readable for ever.
                size = seen.find(b"\n") + 1 or len(seen)
            self._read += os.read(self._read_end, size)
        line = bytes(self._read[:end])
        del self._read[:end]
        self._tell_of_the_rest()
        return line

    # -- waiting

    def _watch_reading(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._reading.watch()

    def _tell_of_the_rest(self) -> None:
        # What was read already makes no descriptor readable; and this may be another thread.
        if self._read and self._loop is not None and len(self._getters):
            with contextlib.suppress(RuntimeError):  # the loop is closed, and whoever waited in it is gone
                self._loop.call_soon_threadsafe(self._getters.call_up)
