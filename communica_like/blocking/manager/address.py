"""Address and AuthKey: addresses and keys that have names."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import Any, Final

from ...exceptions import LinkError
from ...managers.peer import check_key

if sys.platform != "win32":
    from ...system import state_directory, state_path


class _Places(type):
    """Looks addresses up when they are asked for, since directories change."""

    @property
    def DEFAULT(cls) -> str:  # noqa: N802
        """Where all programs of this user find the server that has this address."""
        if sys.platform == "win32":
            return os.path.join(tempfile.gettempdir(), f"communica_like-{os.getlogin()}", "queue-manager")
        else:
            return str(state_path() / "queue-manager")

    @property
    def CWD(cls) -> str:  # noqa: N802
        """A file in the current working directory; the same one as ipcq's."""
        return os.path.join(os.getcwd(), ".ipcq")


class Address(metaclass=_Places):
    """Addresses for QueueManagerServer and QueueManagerClient.

    ``DEFAULT``: a socket in this user's private directory, the same for all of this user's programs.
    ``AUTO``: a free one, which the server's ``address`` tells once it has started. Not for clients.
    ``CWD``: a socket in the current working directory.
    """

    AUTO: Final = None


class AuthKey:
    """Keys for QueueManagerServer and QueueManagerClient.

    ``AUTO``: this process's ``multiprocessing.current_process().authkey``, which its children have, too.
    ``DEFAULT`` and ``EMPTY``: keys that everybody knows. They are for Unix sockets only, where the kernel
    keeps other users out.
    """

    AUTO: Final = None
    DEFAULT: Final = b"ipcq"
    EMPTY: Final = b""


def checked_address(address: Any) -> str | tuple[str, int] | None:
    """Return an address as a manager keeps it, or raise TypeError."""
    if address is None:
        return None
    if isinstance(address, tuple):
        match address:
            case (str(host), int(port)):
                return host or "0.0.0.0", port  # as multiprocessing has it
    elif isinstance(address, str | os.PathLike):
        path = os.fspath(address)
        if isinstance(path, str):
            return path
    raise TypeError(f"an address is the path of a socket, or (host, port), not {address!r}")


def prepare_address(address: str | tuple[str, int] | None, authkey: bytes) -> None:
    """Check that an address, and a key there, can be trusted.

    Raises:
        LinkError: the address is in this user's private directory, which is not private.
        InsecureAddress: everybody knows the key, and the address is not a Unix socket.
    """
    if address is not None:
        check_key(address, authkey)
    if address == Address.DEFAULT:
        if sys.platform == "win32":
            raise LinkError("this system has no Unix sockets: give host and port")
        state_directory()
