"""Who serves an address that the medium itself lets anybody open."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Final, Self

from ..exceptions import AddressInUse
from .lock_file import LockFile
from .process_id import ProcessId
from .state_directory import state_directory

__all__ = ["AddressLock", "remove_stale_claims"]

_PREFIX: Final = "claim-"
_ATTEMPTS: Final = 20
_PAUSE: Final = 0.002  # seconds


class AddressLock:
    """The right to serve an address, among the processes of one user. It ends with the process.

    Args:
        address: what is served, as text.

    Raises:
        AddressInUse: a live process has it.
        LinkError: see ``state_directory``.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._lock = _lock(address)
        self._lock.write(b"")

    @property
    def kept(self) -> bool:
        """Whether others can see it: not if its file was removed."""
        return self._lock.kept

    def renew(self) -> None:
        """Take it again, and announce it, after its file was removed.

        Raises:
            AddressInUse: another live process was faster.
            LinkError: see ``state_directory``.
        """
        lock = _lock(self._address)
        self._lock.release()
        self._lock = lock
        self.announce()

    def announce(self) -> None:
        """From now on ``owner`` tells that it is this process."""
        self._lock.write(str(ProcessId.own()).encode())

    def release(self) -> None:
        """Let go of it."""
        self._lock.release()

    @staticmethod
    def owner(address: str) -> ProcessId | None:
        """Return the live process that has announced to serve the address, or None."""
        return _live_owner(_path(address))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock(address: str) -> LockFile:
    for _ in range(_ATTEMPTS):
        try:
            return LockFile(_path(address))
        except BlockingIOError:
            # It may just be looked at, to see whether it is stale.
            if AddressLock.owner(address) is not None:
                break
        time.sleep(_PAUSE)
    raise AddressInUse(f"a live server already serves {address}")


def remove_stale_claims() -> None:
    """Remove the files of claims whose processes were killed."""
    for path in state_directory().glob(f"{_PREFIX}*"):
        if _live_owner(path) is None:
            try:
                with LockFile(path):
                    pass  # which removes it
            except BlockingIOError:
                pass  # somebody takes it in this moment


def _live_owner(path: Path) -> ProcessId | None:
    try:
        owner = ProcessId.parse(path.read_text("ascii", "replace"))
    except (FileNotFoundError, ValueError):  # nobody has it, or is about to
        return None
    return owner if owner.alive else None


def _path(address: str) -> Path:
    digest = hashlib.sha256(address.encode(errors="surrogateescape")).hexdigest()
    return state_directory() / f"{_PREFIX}{digest[:32]}"
