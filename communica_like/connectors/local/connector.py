"""LocalConnector: two processes of one user on one machine."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Self

from ...abc import Connector, ConnectorGuarantees, Link, LinkReceiver, Listener
from ...arguments import check_kind
from ..url import check_authkey, check_text, join_url, split_url

if sys.platform == "win32":
    from .named_pipe import connect_pipe as _connect
    from .named_pipe import listen_on_pipe as _listen
    from .named_pipe import pipe_path as _locate
else:
    from .unix import connect_unix as _connect
    from .unix import listen_on_unix as _listen
    from .unix import socket_path as _locate

_NOT_IN_NAMES: Final = r"[/\\\x00-\x1f\x7f]"


@dataclass(frozen=True, slots=True)
class LocalConnector(Connector):
    """Links over a Unix socket (unix(7)); on Windows, over a named pipe.

    The socket is open to its owner alone (mode 0600). Both sides ask the kernel for the user of the other
    process, and refuse users other than their own and root.

    Args:
        name: a plain name, for a socket in this user's private directory: ``/tmp/communica_like-<uid>``, or
            what the environment variable ``COMMUNICA_LIKE_DIR`` names. Or the absolute path of the socket.
            A plain name has no slash, so it cannot leave the directory.
        authkey: a shared secret for a mutual challenge, or None.

    Raises:
        TypeError, ValueError: *name* is neither, or a path too long for a socket (sun_path, 107 bytes).
            ``path``, ``connect`` and ``listen`` raise it if a plain name's path is.
    """

    scheme: ClassVar[str] = "local"
    guarantees: ClassVar[ConnectorGuarantees] = ConnectorGuarantees(verifies_user=True)

    name: str
    authkey: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        expected = "a LocalConnector's name is a str or a path"
        check_kind(self.name, str | bytes | os.PathLike, expected, "LocalConnector('name')")
        name = os.fspath(self.name)
        if not isinstance(name, str):
            raise ValueError(f"a LocalConnector's name is text, not {name!r}")
        object.__setattr__(self, "name", name)
        forbidden = "\x00" if name.startswith("/") else _NOT_IN_NAMES
        if name in ("", ".", "..") or re.search(forbidden, name):
            hint = f": a URL goes to connector_from({name!r})" if "://" in name else ""
            raise ValueError(
                f"a LocalConnector's name is a plain name without slashes or control characters, "
                f"or an absolute path without NUL; not {name!r}{hint}"
            )
        check_text("a LocalConnector's name", name)
        if name.startswith("/"):
            _locate(name)
        check_authkey(self.authkey)

    @property
    def path(self) -> str:
        """The path of the socket; on Windows, of the pipe.

        Raises:
            ValueError: it is too long for a socket.
            LinkError: the private directory cannot be used.
        """
        return _locate(self.name)

    async def connect(self, receiver: LinkReceiver) -> Link:
        return await _connect(self.path, receiver)

    async def listen(self, accept: Callable[[Link], LinkReceiver]) -> Listener:
        return await _listen(self.path, accept, self.dump_state())

    def dump_state(self) -> str:
        return join_url(self.scheme, self.name, safe="/")

    @classmethod
    def load_state(cls, text: str, **secrets: Any) -> Self:
        return cls(split_url(text, cls.scheme), **secrets)
