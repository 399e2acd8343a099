"""Where it is written down what processes own."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from ..exceptions import LinkError

__all__ = ["private_directory", "state_directory"]

# Kernel queues have one name space for all, whatever TMPDIR says, and last until the system goes down:
# so does this, where it exists, and nobody tidies it up by the age of files.
_PLACES: Final = ("/dev/shm", "/tmp")


def state_directory() -> Path:
    """Return this user's directory for claims and the ledger; create it if need be.

    ``communica_like-<uid>`` in ``/dev/shm``, or in ``/tmp`` where there is no such place; mode 0700.

    Raises:
        LinkError: something else has that name, or it is open to others.
    """
    for place in _PLACES:
        if os.access(place, os.W_OK | os.X_OK):
            return private_directory(Path(place))
    raise LinkError(f"there is no place for a private directory: {' and '.join(_PLACES)} cannot be written")


def private_directory(place: Path) -> Path:
    """Return the directory ``communica_like-<uid>`` of *place*; create it if need be.

    Raises:
        LinkError: something else has that name, or it is open to others.
    """
    path = place / f"communica_like-{os.getuid()}"
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
    except OSError as exc:
        raise LinkError(f"cannot make a private directory, {path}: {exc}") from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LinkError(
            f"{path} is not a private directory of user {os.getuid()} "
            f"(owner {found.st_uid}, mode {stat.filemode(found.st_mode)}): remove it, or give a path"
        )
    return path
