"""AddressLock: the right to serve an address of a medium that lets any process of the user open it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from pathlib import Path
from typing import Final

from ..exceptions import AddressInUse
from . import fork
from .lock_file import LockFile
from .process_id import ProcessId
from .state_directory import state_directory

_PREFIX: Final = "lock-"
_LOCK_ATTEMPTS: Final = 20
_RETRY_INTERVAL: Final = 0.002  # seconds


class AddressLock(LockFile):
    """The right to serve an address, among the processes of one user. It ends with the process.

    Args:
        address: what is served, as text.

    Raises:
        AddressInUse: a live process serves it.
        LinkError: see ``state_directory``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        for _ in range(_LOCK_ATTEMPTS):
            try:
                super().__init__(_path(address))
                return self.write(b"")
            except BlockingIOError:
                # It may be locked for a moment only, by a process that removes stale locks.
                if AddressLock.owner(address) is not None:
                    break
                time.sleep(_RETRY_INTERVAL)
        raise AddressInUse(f"a live server already serves {address}")

    def renew(self) -> None:
        """Take the lock again and announce it, after its file was removed. Raise as the constructor does."""
        lost = self._descriptor
        AddressLock.__init__(self, self._address)
        fork.discard(lost)
        os.close(lost)
        self.announce()

    def announce(self) -> None:
        """Let ``owner`` return this process."""
        self.write(str(ProcessId.own()).encode())

    @staticmethod
    def owner(address: str) -> ProcessId | None:
        """Return the live process that has announced to serve the address, or None."""
        return _live_owner(_path(address))


def remove_stale_locks() -> None:
    """Remove the lock files of processes that were killed."""
    for path in state_directory().glob(f"{_PREFIX}*"):
        if _live_owner(path) is None:
            # Releasing it removes the file, unless another process takes it right now.
            with contextlib.suppress(BlockingIOError), LockFile(path):
                pass


def _live_owner(path: Path) -> ProcessId | None:
    try:
        owner = ProcessId.parse(path.read_text("ascii", "replace"))
    except (FileNotFoundError, ValueError):  # not locked, or not announced yet
        return None
    return owner if owner.alive else None


def _path(address: str) -> Path:
    digest = hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()
    return state_directory() / f"{_PREFIX}{digest[:32]}"
