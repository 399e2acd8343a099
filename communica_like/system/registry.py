"""The ledger of what this user's processes own in the kernel and the file system.

One small file for each thing owned, ``owned-<process>-<number>``, which holds its kind and its name. It is
written before the thing is made, and removed after it, so that whatever a killed process leaves is in it.

A lock keeps those apart who remove what is left, and those who give things names that others had. Nobody
waits for it for long: whoever has it may have been stopped.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..exceptions import FeatureNotAvailable
from ..features import optional_package
from . import fork
from .process_id import ProcessId
from .state_directory import state_directory

if sys.platform != "win32":
    import fcntl

__all__ = ["Registration", "register", "register_reused", "remove_unowned"]

_PREFIX: Final = "owned-"
_PAUSE: Final = 0.001  # seconds, between two looks whether the lock is free
_PATIENCE: Final = 0.5  # seconds; those who have it need microseconds
_numbers = itertools.count(1)


class Registration:
    """Something owned by this process: see ``register``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = os.getpid()
        self._struck = False

    def remove(self) -> None:
        """It is not there any more. Only the process that entered it can say so, none of its forks."""
        if not self._struck and os.getpid() == self._owner:
            self._struck = True
            self._path.unlink(missing_ok=True)


def register(kind: str, name: str) -> Registration:
    """Write down that this process owns something, which is going to be made, under a name that nobody had.

    Args:
        kind: ``"posixmq"``, ``"sysvmq"`` or ``"fifo"``.
        name: the queue's name, its key, or the pipe's absolute path.

    Raises:
        LinkError: see ``state_directory``.
        OSError: the ledger cannot be written.
    """
    if kind not in _REMOVE:
        raise ValueError(f"the ledger knows {', '.join(_REMOVE)}, not {kind!r}")
    path = state_directory() / f"{_PREFIX}{ProcessId.own()}-{next(_numbers)}"
    entry = Registration(path)
    try:
        path.write_bytes(f"{kind}\n{name}".encode(errors="surrogateescape"))
    except BaseException:
        entry.remove()
        raise
    return entry


def register_reused(kind: str, name: str) -> Registration:
    """Do as ``register``, with a name that others may have had.

    What processes that have ended left under this or any other name is removed first, and nobody removes
    this one from now on.

    Raises:
        LinkError, OSError: as ``register``.
        BlockingIOError: another process has been stopped while it did such a thing.
    """
    directory = state_directory()
    with _locked(directory, _PATIENCE):
        _remove_unowned(directory)
        return register(kind, name)


def remove_unowned(*, patience: float = _PATIENCE) -> list[str]:
    """Remove what was owned by processes that have ended; return what that was, its kind and its name.

    Args:
        patience: seconds to wait for others who are doing it.

    Raises:
        BlockingIOError: another process is doing it for longer than that.
    """
    directory = state_directory()
    if all(_entries(directory).values()):
        return []
    with _locked(directory, patience):
        return _remove_unowned(directory)


def _remove_unowned(directory: Path) -> list[str]:
    removed = []
    alive = _entries(directory)
    # The next owner of the same name may be at it already; or not get as far as to make it.
    in_use = {_read(path) for path, owner_lives in alive.items() if owner_lives} - {None}
    for path, owner_lives in alive.items():
        if owner_lives or (thing := _read(path)) in in_use:
            continue
        try:
            if thing is not None and _REMOVE[thing[0]](thing[1]):
                removed.append(" ".join(thing))
        except FeatureNotAvailable:
            continue  # for a process that has the package
        path.unlink(missing_ok=True)
    return removed


def _entries(directory: Path) -> dict[Path, bool]:
    """Return all entries, and whether their owners live."""
    found: dict[Path, bool] = {}
    known: dict[str, bool] = {}
    for name in os.listdir(directory):
        if name.startswith(_PREFIX):
            owner = name.removeprefix(_PREFIX).partition("-")[0]
            if owner not in known:
                try:
                    known[owner] = ProcessId.parse(owner).alive
                except ValueError:
                    known[owner] = True  # not ours to judge
            found[directory / name] = known[owner]
    return found


def _read(path: Path) -> tuple[str, str] | None:
    """Return the kind and the name of what is owned; None: it is struck, or was not written to its end."""
    try:
        kind, separator, name = path.read_bytes().decode(errors="surrogateescape").partition("\n")
    except FileNotFoundError:
        return None
    return (kind, name) if separator and kind in _REMOVE else None


@contextlib.contextmanager
def _locked(directory: Path, patience: float) -> Iterator[None]:
    """Nobody else takes over or removes anything meanwhile."""
    path = directory / "registry.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fork.add(descriptor)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    text = f"another process has locked {path}: is it stopped? See lslocks(8)"
                    raise BlockingIOError(text) from None
            time.sleep(_PAUSE)
        yield
    finally:
        fork.discard(descriptor)
        os.close(descriptor)


def _remove_posixmq(name: str) -> bool:
    posix_ipc = optional_package("posix_ipc", "posixmq")
    try:
        posix_ipc.unlink_message_queue(name)
    except (posix_ipc.Error, OSError, ValueError):  # it is gone, or is no name that anybody has
        return False
    return True


def _remove_sysvmq(key: str) -> bool:
    sysv_ipc = optional_package("sysv_ipc", "sysvmq")
    try:
        sysv_ipc.MessageQueue(int(key)).remove()
    except (sysv_ipc.Error, OSError, ValueError):
        return False
    return True


def _remove_fifo(path: str) -> bool:
    try:
        if not stat.S_ISFIFO(os.lstat(path).st_mode):
            return False  # somebody else's, by now
        os.unlink(path)
    except (OSError, ValueError):
        return False
    return True


_REMOVE: Final[dict[str, Callable[[str], bool]]] = {
    "posixmq": _remove_posixmq,
    "sysvmq": _remove_sysvmq,
    "fifo": _remove_fifo,
}
