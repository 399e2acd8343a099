"""What this user's processes own in the kernel and the file system, and its reaping.

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
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ..exceptions import FeatureNotAvailable, LinkError
from ..features import optional_package
from .address_lock import remove_stale_locks
from .lock_file import LockFile
from .process_id import ProcessId
from .state_directory import state_directory

_PREFIX: Final = "owned-"
_LOCK_POLL_INTERVAL: Final = 0.001  # seconds
_LOCK_TIMEOUT: Final = 0.5  # seconds; it is held for microseconds
_PACKAGES: Final = {"posixmq": "posix_ipc", "sysvmq": "sysv_ipc", "fifo": ""}
"""The kinds of objects, and the packages that remove them."""

_numbers = itertools.count(1)


class Registration:
    """The file of an object that this process owns: see ``register``. No other one ever has its path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._owner = os.getpid()

    def remove(self) -> None:
        """Remove the registration, after the object. In a forked child this does nothing."""
        if os.getpid() == self._owner:
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
    if kind not in _PACKAGES:
        raise ValueError(f"the registry knows {', '.join(_PACKAGES)}, not {kind!r}")
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


def reap() -> list[str]:
    """Remove what ended processes of this user left behind in the kernel and the file system.

    Connectors do this by themselves before they connect or listen. What a live process owns is not touched,
    and neither are queues that the user made, which stay until they are unlinked. Queues for which this
    process lacks the package (posix_ipc, sysv_ipc) are left to a process that has it. Any thread and any
    process may call it at any time.

    Returns:
        What was removed, one line each: its kind and its name, such as ``"posixmq /name"``.

    Raises:
        LinkError: the private directory cannot be used, or a stopped process has locked the registry.
    """
    remove_stale_locks()
    try:
        return _reap(_LOCK_TIMEOUT)
    except BlockingIOError as exc:
        raise LinkError(str(exc)) from exc


def reap_in_passing() -> None:
    """Do as ``reap``, but skip the registry while another process has locked it.

    Raises:
        LinkError: the private directory cannot be used.
    """
    remove_stale_locks()
    with contextlib.suppress(BlockingIOError):
        _reap(0)


def _reap(timeout: float) -> list[str]:
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
            if owned is not None and _remove(*owned):
                removed.append(" ".join(owned))
        except FeatureNotAvailable:
            continue  # left to a process that has the package
        path.unlink(missing_ok=True)
    return removed


def _registrations(directory: Path) -> dict[Path, bool]:
    """Return the path of each registration, and whether its owner is alive."""
    names = [name for name in os.listdir(directory) if name.startswith(_PREFIX)]
    owners = {name: name.removeprefix(_PREFIX).partition("-")[0] for name in names}
    alive = {owner: _is_alive(owner) for owner in set(owners.values())}
    return {directory / name: alive[owner] for name, owner in owners.items()}


def _is_alive(owner: str) -> bool:
    try:
        return ProcessId.parse(owner).alive
    except ValueError:
        return True  # no file of ours: leave it alone


def _read(path: Path) -> tuple[str, str] | None:
    """Return the kind and name of an object; None if its file was removed, or is not complete."""
    try:
        kind, separator, name = path.read_bytes().decode(errors="surrogateescape").partition("\n")
    except FileNotFoundError:
        return None
    return (kind, name) if separator and kind in _PACKAGES else None


@contextlib.contextmanager
def _locked(directory: Path, timeout: float) -> Iterator[None]:
    """Keep other processes from reusing names and removing objects."""
    path = directory / "registry.lock"
    deadline = time.monotonic() + timeout
    while True:
        try:
            lock = LockFile(path)
            break
        except BlockingIOError:
            if time.monotonic() >= deadline:
                text = f"another process has locked {path}: is it stopped? See lslocks(8)"
                raise BlockingIOError(text) from None
        time.sleep(_LOCK_POLL_INTERVAL)
    with lock:
        yield


def _remove(kind: str, name: str) -> bool:
    """Remove an object; return False if it is gone, or not a valid name."""
    errors: tuple[type[Exception], ...] = (OSError, ValueError)
    if package := _PACKAGES[kind]:
        module = optional_package(package, kind)
        errors += (module.Error,)
    try:
        if kind == "posixmq":
            module.unlink_message_queue(name)
        elif kind == "sysvmq":
            module.MessageQueue(int(name)).remove()
        elif stat.S_ISFIFO(os.lstat(name).st_mode):
            os.unlink(name)
        else:
            return False  # another program reused the path
    except errors:
        return False
    return True
