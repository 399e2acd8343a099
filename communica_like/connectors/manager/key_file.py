"""KeyFile: a key that processes of one user find in a file that only this user can read."""

from __future__ import annotations

import os
import secrets
import stat
from typing import Final

from ...exceptions import LinkError

_KEY_SIZE: Final = 32
_LONGEST: Final = 1024


def read_key(path: str) -> bytes | None:
    """Return the key in a file, or None if there is no file.

    Raises:
        LinkError: it is not this user's alone, or holds no key.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise LinkError(f"cannot read the key in {path}: {exc}") from exc
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise LinkError(
                f"{path} is not a private file of user {os.getuid()} "
                f"(owner {found.st_uid}, mode {stat.filemode(found.st_mode)}): remove it, or give an authkey"
            )
        key = os.read(descriptor, _LONGEST)
    finally:
        os.close(descriptor)
    if len(key) < _KEY_SIZE:
        raise LinkError(f"{path} holds no key: remove it, or give an authkey")
    return key


def remove_key(path: str) -> None:
    """Remove a key that a dead server left, if there is one.

    Raises:
        LinkError: it cannot be removed, such as another user's.
    """
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    except OSError as exc:
        raise LinkError(f"cannot remove the key in {path}: {exc}") from exc


class KeyFile:
    """A server's key. Only the process that has the address may make it.

    A key that a dead server left is used again, since clients may have read it already.

    Args:
        path: of the file, which is readable by this user alone.

    Raises:
        LinkError: it cannot be made, or there is one that is not private.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        key = read_key(path)
        try:
            self.key = self._made() if key is None else key
            self._inode = os.stat(path).st_ino
        except OSError as exc:
            raise LinkError(f"cannot make a key in {path}: {exc}") from exc

    def remove(self) -> None:
        """Remove the file, unless another one has taken its place."""
        try:
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)
        except FileNotFoundError:
            pass

    def _made(self) -> bytes:
        key = secrets.token_bytes(_KEY_SIZE)
        draft = f"{self._path}.{secrets.token_hex(8)}"
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # none that others made
        try:
            os.fchmod(descriptor, 0o600)
            os.write(descriptor, key)
        finally:
            os.close(descriptor)
        os.replace(draft, self._path)  # whole, or not there
        return key
