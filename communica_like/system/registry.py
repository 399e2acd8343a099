"""The registry of what this user's processes own in the kernel and the file system.

Each object owned has one small file, ``owned-<process>-<number>``, that holds its kind and its name. The file
is written before the object is made and removed after it, so whatever a killed process leaves is registered.

A lock excludes processes that remove objects of ended processes, or reuse a name, at the same time. Waiting
for it is short, because a process that has it may have been stopped.
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

_PREFIX: Final = "owned-"
_LOCK_POLL_INTERVAL: Final = 0.001  # seconds
_LOCK_TIMEOUT: Final = 0.5  # seconds; it is held for microseconds
_numbers = itertools.count(1)


class Registration:
    """The file of an object that this process owns: see ``register``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = os.getpid()
        self._removed = False

    def remove(self) -> None:
        """Remove the registration, after the object. In a forked child this does nothing."""
        if not self._removed and os.getpid() == self._owner:
            self._removed = True
            self._path.unlink(missing_ok=True)


def register(kind: str, name: str) -> Registration:
    """Register an object that this process is about to make, under a name never used before.

    Args:
        kind: ``"posixmq"``, ``"sysvmq"`` or ``"fifo"``.
        name: the queue's name, its key, or the pipe's absolute path.

    Raises:
        LinkError: see ``state_directory``.
        OSError: the file cannot be written.
    """
    if kind not in _REMOVE:
        raise ValueError(f"the registry knows {', '.join(_REMOVE)}, not {kind!r}")
    path = state_directory() / f"{_PREFIX}{ProcessId.own()}-{next(_numbers)}"
    registration = Registration(path)
    try:
        path.write_bytes(f"{kind}\n{name}".encode(errors="surrogateescape"))
    except BaseException:
        registration.remove()
        raise
    return registration


def register_reused(kind: str, name: str) -> Registration:
    """Register an object under a name that other processes may have used.

    Objects that ended processes left, under this or any other name, are removed first. As long as this
    process lives, no other process removes the object.

    Raises:
        LinkError, OSError: as ``register``.
        BlockingIOError: another process holds the registry's lock, and was probably stopped.
    """
    directory = state_directory()
    with _locked(directory, _LOCK_TIMEOUT):
        _remove_unowned(directory)
        return register(kind, name)


def remove_unowned(*, timeout: float = _LOCK_TIMEOUT) -> list[str]:
    """Remove objects whose owners have ended; return the kind and name of each.

    Args:
        timeout: seconds to wait for the lock.

    Raises:
        BlockingIOError: another process has held the lock for that long.
    """
    directory = state_directory()
    if all(_registrations(directory).values()):
        return []
    with _locked(directory, timeout):
        return _remove_unowned(directory)


def _remove_unowned(directory: Path) -> list[str]:
    removed = []
    alive = _registrations(directory)
    # A name may have a new owner already, which made the object or is about to.
    in_use = {_read(path) for path, owner_lives in alive.items() if owner_lives} - {None}
    for path, owner_lives in alive.items():
        if owner_lives or (owned := _read(path)) in in_use:
            continue
        try:
            if owned is not None and _REMOVE[owned[0]](owned[1]):
                removed.append(" ".join(owned))
        except FeatureNotAvailable:
            continue  # left to a process that has the package
        path.unlink(missing_ok=True)
    return removed


def _registrations(directory: Path) -> dict[Path, bool]:
    """Return the path of each registration, and whether its owner is alive."""
    found: dict[Path, bool] = {}
    known: dict[str, bool] = {}
    for name in os.listdir(directory):
        if name.startswith(_PREFIX):
            owner = name.removeprefix(_PREFIX).partition("-")[0]
            if owner not in known:
                try:
                    known[owner] = ProcessId.parse(owner).alive
                except ValueError:
                    known[owner] = True  # no file of ours: leave it alone
            found[directory / name] = known[owner]
    return found


def _read(path: Path) -> tuple[str, str] | None:
    """Return the kind and name of an object; None if its file was removed, or is not complete."""
    try:
        kind, separator, name = path.read_bytes().decode(errors="surrogateescape").partition("\n")
    except FileNotFoundError:
        return None
    return (kind, name) if separator and kind in _REMOVE else None


@contextlib.contextmanager
def _locked(directory: Path, timeout: float) -> Iterator[None]:
    """Keep other processes from reusing names and removing objects."""
    path = directory / "registry.lock"
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    fork.add(descriptor)
    try:
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    text = f"another process has locked {path}: is it stopped? See lslocks(8)"
                    raise BlockingIOError(text) from None
            time.sleep(_LOCK_POLL_INTERVAL)
        yield
    finally:
        fork.discard(descriptor)
        os.close(descriptor)


def _remove_posixmq(name: str) -> bool:
    posix_ipc = optional_package("posix_ipc", "posixmq")
    try:
        posix_ipc.unlink_message_queue(name)
    except (posix_ipc.Error, OSError, ValueError):  # already gone, or not a valid name
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
            return False  # another program reused the path
        os.unlink(path)
    except (OSError, ValueError):
        return False
    return True


_REMOVE: Final[dict[str, Callable[[str], bool]]] = {
    "posixmq": _remove_posixmq,
    "sysvmq": _remove_sysvmq,
    "fifo": _remove_fifo,
}
