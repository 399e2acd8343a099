"""This user's private directory: sockets, keys, locks, named pipes, and the registry of what is owned."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import Final

from ..exceptions import LinkError

_VARIABLE: Final = "COMMUNICA_LIKE_DIR"


def state_path() -> Path:
    """Return the path of this user's private directory, whether or not it exists.

    The environment variable ``COMMUNICA_LIKE_DIR`` names the directory itself. If it is unset or empty, the
    path is ``/tmp/communica_like-<uid>``: it must not depend on ``TMPDIR``, because kernel queues have one
    name space for all processes.

    Raises:
        ValueError: the variable holds a relative path, which would differ between processes.
    """
    path = os.environ.get(_VARIABLE) or f"/tmp/communica_like-{os.getuid()}"
    if not os.path.isabs(path):
        raise ValueError(f"{_VARIABLE} must be an absolute path, not {path!r}")
    return Path(path)


def state_directory() -> Path:
    """Return this user's private directory; create it with mode 0700 if it is missing.

    Parents are not created.

    Raises:
        LinkError: it cannot be created, or is not a directory that belongs to this user alone.
        ValueError: as ``state_path``.
    """
    path = state_path()
    try:
        with contextlib.suppress(FileExistsError):
            path.mkdir(mode=0o700)
        found = path.lstat()
    except OSError as exc:
        text = f"cannot create the private directory {path}: {exc}; {_VARIABLE} names another one"
        raise LinkError(text) from exc
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise LinkError(
            f"{path} is not a private directory of user {os.getuid()} "
            f"(owner {found.st_uid}, mode {stat.filemode(found.st_mode)}): "
            f"remove it, or set {_VARIABLE} to a directory of this user's with mode 0700"
        )
    return path
